// Package charts carries the Helm charts inside the program.
package charts

import "embed"

// Files has a folder per chart; service/values has the values file of each service.
//
//go:embed all:autoscaling
//go:embed all:data
//go:embed all:gitops
//go:embed all:ingress
//go:embed all:lab
//go:embed all:monitoring
//go:embed all:service
//go:embed all:storage
var Files embed.FS
