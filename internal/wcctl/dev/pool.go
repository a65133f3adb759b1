package dev

import (
	"context"
	"log/slog"

	"github.com/wastecoach/wastecoach/services/auth"
	"github.com/wastecoach/wastecoach/services/locations"
	"github.com/wastecoach/wastecoach/services/recycling"
	"github.com/wastecoach/wastecoach/services/users"
	"github.com/wastecoach/wastecoach/services/waste"
)

// Pools lists what runs, in the order of start, with the owner's counts.
func Pools() []Pool {
	return []Pool{
		{Name: "auth", Service: "auth", Count: 2, Run: configured(auth.LoadConfig, auth.Serve)},
		{Name: "users", Service: "users", Count: 1, Run: configured(users.LoadConfig, users.Serve)},
		{
			Name: "locations", Service: "locations", Count: 1,
			Run: configured(locations.LoadConfig, locations.Serve),
		},
		{
			Name: "recycling", Service: "recycling", Count: 2,
			Run: configured(recycling.LoadConfig, recycling.Serve),
		},
		{Name: "waste", Service: "waste", Count: 3, Run: configured(waste.LoadConfig, waste.Serve)},
		{
			Name: "recycling-worker", Service: "recycling", Worker: true, Count: 2,
			Run: configured(recycling.LoadConfig, recycling.Work),
		},
		{
			Name: "waste-worker", Service: "waste", Worker: true, Count: 5,
			Run: configured(waste.LoadConfig, waste.Work),
		},
	}
}

// configured joins the two functions that a service's binary joins.
func configured[C any](
	load func(environ []string) (C, error),
	run func(context.Context, C, *slog.Logger) error,
) func(context.Context, []string, *slog.Logger) error {
	return func(ctx context.Context, environ []string, logger *slog.Logger) error {
		cfg, err := load(environ)
		if err != nil {
			return err
		}
		return run(ctx, cfg, logger)
	}
}
