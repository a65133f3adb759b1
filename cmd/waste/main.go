// Command waste runs the waste service.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/services/waste"
)

func main() {
	os.Exit(daemon.Main("waste",
		daemon.Command{
			Name: "serve", Help: "answer the API", Run: daemon.With(waste.LoadConfig, waste.Serve),
		},
		daemon.Command{
			Name: "work", Help: "run the tasks",
			Run: daemon.With(waste.LoadConfig, waste.Work),
		},
		daemon.Command{
			Name: "migrate", Help: "make the role and the schema, and bring them up to date",
			Run: migrate.Service("waste"),
		},
	))
}
