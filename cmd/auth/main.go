// Command auth runs the auth service.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/services/auth"
)

func main() {
	os.Exit(daemon.Main("auth", daemon.Command{Name: "serve", Help: "run the API", Run: serve}))
}

func serve(ctx context.Context, environ []string, logger *slog.Logger) error {
	cfg, err := auth.LoadConfig(environ)
	if err != nil {
		return err
	}
	return auth.Serve(ctx, cfg, logger)
}
