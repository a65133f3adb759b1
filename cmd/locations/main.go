// Command locations runs the locations service.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/services/locations"
)

func main() {
	os.Exit(daemon.Main("locations",
		daemon.Command{
			Name: "serve", Help: "answer the API", Run: daemon.With(locations.LoadConfig, locations.Serve),
		},
		daemon.Command{
			Name: "migrate", Help: "make the role and the schema, and bring them up to date",
			Run: migrate.Service("locations"),
		},
	))
}
