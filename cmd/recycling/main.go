// Command recycling runs the recycling service.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/services/recycling"
)

func main() {
	os.Exit(daemon.Main("recycling",
		daemon.Command{Name: "serve", Help: "answer the API", Run: with(recycling.Serve)},
		daemon.Command{Name: "work", Help: "run the tasks", Run: with(recycling.Work)},
	))
}

func with(
	run func(context.Context, recycling.Config, *slog.Logger) error,
) func(context.Context, []string, *slog.Logger) error {
	return func(ctx context.Context, environ []string, logger *slog.Logger) error {
		cfg, err := recycling.LoadConfig(environ)
		if err != nil {
			return err
		}
		return run(ctx, cfg, logger)
	}
}
