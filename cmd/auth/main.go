// Command auth runs the auth service.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/services/auth"
)

func main() {
	os.Exit(daemon.Main("auth",
		daemon.Command{
			Name: "serve", Help: "answer the API", Run: daemon.With(auth.LoadConfig, auth.Serve),
		},
	))
}
