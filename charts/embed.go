// Package charts carries the Helm charts inside the program.
package charts

import "embed"

// Files has a folder per chart; service/values has the values file of each service.
//
//go:embed all:data
//go:embed all:monitoring
//go:embed all:service
var Files embed.FS
