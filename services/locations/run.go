package locations

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	apidoc "github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/telemetry"
)

const serviceName = "locations"

// Serve runs the API until ctx ends.
func Serve(ctx context.Context, cfg Config, logger *slog.Logger) error {
	pool, err := postgres.Open(ctx, cfg.Postgres, serviceName)
	if err != nil {
		return err
	}
	defer pool.Close()
	common := cfg.Redis.Open(redisdb.Common)
	defer common.Close()
	registry := telemetry.NewRegistry()
	points := &store{pool: pool}
	// Redis is not among the checks: without its cache the answers only take longer.
	server, err := newServer(&service{
		store: points, cache: newGeoCache(common, registry, time.Now), logger: logger, now: time.Now,
	}, registry, map[string]httpserver.Check{"postgres": postgres.Ready(pool)})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, cfg.HTTP) })
	if cfg.Seed {
		group.Go(func() error { return seed(ctx, points, logger) })
	}
	return group.Wait()
}

func newServer(
	s *service, registry *prometheus.Registry, ready map[string]httpserver.Check,
) (*httpserver.Server, error) {
	document, err := apidoc.JSON(serviceName)
	if err != nil {
		return nil, err
	}
	server := httpserver.New(httpserver.Options{
		Service: serviceName, Logger: s.logger, Registry: registry, OpenAPI: document, Ready: ready,
	})
	(&api{service: s}).routes(server.API)
	return server, nil
}
