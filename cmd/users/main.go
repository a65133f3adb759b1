// Command users runs the users service.
package main

import (
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/services/users"
)

func main() {
	os.Exit(daemon.Main("users",
		daemon.Command{
			Name: "serve", Help: "answer the API", Run: daemon.With(users.LoadConfig, users.Serve),
		},
		daemon.Command{
			Name: "migrate", Help: "make the role and the schema, and bring them up to date",
			Run: migrate.Service("users"),
		},
	))
}
