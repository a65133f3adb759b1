// Command users runs the users service.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/services/users"
)

func main() {
	os.Exit(daemon.Main("users", daemon.Command{Name: "serve", Help: "run the API", Run: serve}))
}

func serve(ctx context.Context, environ []string, logger *slog.Logger) error {
	cfg, err := users.LoadConfig(environ)
	if err != nil {
		return err
	}
	return users.Serve(ctx, cfg, logger)
}
