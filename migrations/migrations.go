// Package migrations embeds the SQL of every schema.
package migrations

import "embed"

// Files has one folder per schema.
//
//go:embed */*.sql
var Files embed.FS
