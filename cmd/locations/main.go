// Command locations runs the locations service.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/services/locations"
)

func main() {
	os.Exit(daemon.Main("locations",
		daemon.Command{Name: "serve", Help: "answer the API", Run: with(locations.Serve)},
	))
}

func with(
	run func(context.Context, locations.Config, *slog.Logger) error,
) func(context.Context, []string, *slog.Logger) error {
	return func(ctx context.Context, environ []string, logger *slog.Logger) error {
		cfg, err := locations.LoadConfig(environ)
		if err != nil {
			return err
		}
		return run(ctx, cfg, logger)
	}
}
