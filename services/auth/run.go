package auth

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/token"
)

// Serve runs the API until ctx ends.
func Serve(ctx context.Context, cfg Config, logger *slog.Logger) error {
	pool, err := postgres.Open(ctx, cfg.Postgres, "auth")
	if err != nil {
		return err
	}
	defer pool.Close()
	client := cfg.Redis.Open(redisdb.Sessions)
	defer client.Close()
	common := cfg.Redis.Open(redisdb.Common)
	defer common.Close()
	server, keys, err := newServer(parts{
		cfg: cfg, pool: pool, redis: client, common: common, registry: telemetry.NewRegistry(),
		logger: logger, now: time.Now,
	})
	if err != nil {
		return err
	}
	// Made now, so that the first login need not wait; later if PostgreSQL is not up yet.
	if _, err := keys.current(ctx); errors.Is(err, ErrMasterKey) {
		return err
	} else if err != nil {
		logger.WarnContext(ctx, "no signing key yet", "error", err)
	}
	return server.Run(ctx, cfg.HTTP)
}

// parts are what the server is put together from.
type parts struct {
	cfg      Config
	pool     *pgxpool.Pool
	redis    *redis.Client
	common   *redis.Client
	registry *prometheus.Registry
	logger   *slog.Logger
	now      func() time.Time
}

func newServer(p parts) (*httpserver.Server, *keyring, error) {
	master, err := p.cfg.masterKey()
	if err != nil {
		return nil, nil, err
	}
	secrets, err := newSecrets(master)
	if err != nil {
		return nil, nil, err
	}
	events := audit.New(p.logger)
	keys := &keyring{
		store: &keyStore{p.pool}, seal: secrets.signingKeys, audit: events, logger: p.logger, now: p.now,
	}
	verifier, err := token.NewVerifier(keys, p.now)
	if err != nil {
		return nil, nil, err
	}
	document, err := api.JSON("auth")
	if err != nil {
		return nil, nil, err
	}
	server := httpserver.New(httpserver.Options{
		Service: "auth", Logger: p.logger, Registry: p.registry, OpenAPI: document, Common: p.common,
		Ready: map[string]httpserver.Check{
			"postgres": postgres.Ready(p.pool), "redis": redisdb.Ready(p.redis), "keys": keys.ready,
		},
	})
	service := &Service{
		logins: &loginStore{p.redis}, accounts: &accountStore{p.pool},
		sessions: newSessionStore(p.redis, p.cfg.Session, p.now), keys: keys, secrets: secrets,
		metrics: newMetrics(p.registry), audit: events, now: p.now,
	}
	for _, cfg := range p.cfg.Providers {
		service.providers = append(service.providers, newRelyingParty(cfg, p.now))
	}
	routes := &handlers{service}
	routes.routes(server.API, verifier)
	erase := &eraser{accounts: service.accounts, sessions: service.sessions}
	erase.add(erasure.Mount(server.Internal(), p.cfg.InternalToken, erase))
	return server, keys, nil
}
