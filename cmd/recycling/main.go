// Command recycling runs the recycling service.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/services/recycling"
)

func main() {
	os.Exit(daemon.Main("recycling",
		daemon.Command{
			Name: "serve", Help: "answer the API", Run: daemon.With(recycling.LoadConfig, recycling.Serve),
		},
		daemon.Command{
			Name: "work", Help: "run the tasks",
			Run: daemon.With(recycling.LoadConfig, recycling.Work),
		},
		daemon.Command{
			Name: "migrate", Help: "make the role and the schema, and bring them up to date",
			Run: migrate.Service("recycling"),
		},
	))
}
