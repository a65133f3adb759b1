// Command observer stands beside Prometheus and tells it what the cluster has.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/observer"
)

func main() {
	os.Exit(daemon.Main("observer",
		daemon.Command{
			Name: "serve", Help: "answer Prometheus",
			Run: daemon.With(observer.LoadConfig, observer.Serve),
		},
	))
}
