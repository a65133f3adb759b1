// Package cli holds the commands of wcctl, one per file.
package cli
