// Waste takes photos of waste (serve) and analyses them (work).
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/services/waste"
)

func main() {
	os.Exit(daemon.Main("waste",
		daemon.Command{Name: "serve", Help: "Answer the API", Run: with(waste.Serve)},
		daemon.Command{Name: "work", Help: "Run the tasks of the waste queue", Run: with(waste.Work)},
	))
}

func with(
	run func(context.Context, waste.Config, *slog.Logger) error,
) func(context.Context, []string, *slog.Logger) error {
	return func(ctx context.Context, environ []string, logger *slog.Logger) error {
		cfg, err := waste.LoadConfig(environ)
		if err != nil {
			return err
		}
		return run(ctx, cfg, logger)
	}
}
