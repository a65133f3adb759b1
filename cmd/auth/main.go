// Command auth runs the auth service.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/services/auth"
)

func main() {
	os.Exit(daemon.Main("auth",
		daemon.Command{
			Name: "serve", Help: "answer the API", Run: daemon.With(auth.LoadConfig, auth.Serve),
		},
		daemon.Command{
			Name: "migrate", Help: "make the role and the schema, and bring them up to date",
			Run: migrate.Service("auth"),
		},
	))
}
