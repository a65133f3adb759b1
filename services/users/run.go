package users

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/token"
)

// Serve runs the API until ctx ends.
func Serve(ctx context.Context, cfg Config, logger *slog.Logger) error {
	pool, err := postgres.Open(ctx, cfg.Postgres, "users")
	if err != nil {
		return err
	}
	defer pool.Close()
	server, err := newServer(parts{
		cfg: cfg, pool: pool, keys: token.RemoteKeys(ctx, cfg.JWKSURL),
		registry: telemetry.NewRegistry(), logger: logger, now: time.Now,
	})
	if err != nil {
		return err
	}
	return server.Run(ctx, cfg.HTTP)
}

// parts are what the server is put together from.
type parts struct {
	cfg      Config
	pool     *pgxpool.Pool
	keys     oidc.KeySet
	registry *prometheus.Registry
	logger   *slog.Logger
	now      func() time.Time
}

func newServer(p parts) (*httpserver.Server, error) {
	verifier, err := token.NewVerifier(p.keys, p.now)
	if err != nil {
		return nil, err
	}
	document, err := api.JSON("users")
	if err != nil {
		return nil, err
	}
	server := httpserver.New(httpserver.Options{
		Service: "users", Logger: p.logger, Registry: p.registry, OpenAPI: document,
		Ready: map[string]httpserver.Check{"postgres": postgres.Ready(p.pool)},
	})
	routes := &handlers{&Service{
		store: &Store{p.pool}, waste: newWasteClient(p.cfg.WasteURL, p.cfg.WasteTimeout), now: p.now,
	}}
	routes.routes(server.API, verifier)
	return server, nil
}
