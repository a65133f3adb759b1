package users

import (
	"context"
	"log/slog"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/objectstore"
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
	if cfg.Deletion.Settle < token.Lifetime {
		logger.WarnContext(ctx, "deletions end before access tokens do: only for tests",
			"settle", cfg.Deletion.Settle)
	}
	p := parts{
		cfg: cfg, pool: pool, keys: token.RemoteKeys(ctx, cfg.JWKSURL, time.Now),
		registry: telemetry.NewRegistry(), logger: logger, now: time.Now,
	}
	server, err := newServer(p)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, cfg.HTTP) })
	group.Go(func() error { return postgres.Lead(ctx, pool, journalLock, logger, p.lead) })
	return group.Wait()
}

// journalLock is the advisory lock of the one leader ("usersjrn" as 8 ASCII bytes).
const journalLock = 0x75736572736a726e

// lead works off deletions and exports until ctx ends.
func (p parts) lead(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return p.deleter().run(ctx) })
	group.Go(func() error { return p.exporter().run(ctx) })
	return group.Wait()
}

func (p parts) deleter() *deleter {
	store := &Store{p.pool}
	return &deleter{
		store: store, cfg: p.cfg.Deletion, audit: audit.New(p.logger), logger: p.logger,
		holders: []holder{
			{Holder: erasure.NewClient(p.cfg.Auth), name: "auth"},
			{Holder: erasure.NewClient(p.cfg.Waste), name: "waste"},
			{Holder: erasure.NewClient(p.cfg.Recycling), name: "recycling", byJob: true},
			{Holder: &eraser{store, objectstore.New(p.cfg.S3)}, name: "users"},
		},
	}
}

func (p parts) exporter() *exporter {
	return &exporter{
		store: &Store{p.pool}, objects: objectstore.New(p.cfg.S3), cfg: p.cfg.Export,
		auth: erasure.NewClient(p.cfg.Auth), waste: erasure.NewClient(p.cfg.Waste),
		audit: audit.New(p.logger), logger: p.logger,
	}
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
		store: &Store{p.pool}, waste: newWasteClient(p.cfg.Waste, p.cfg.WasteTimeout),
		objects: objectstore.New(p.cfg.S3), audit: audit.New(p.logger),
		exportKept: p.cfg.Export.Keep, now: p.now,
	}}
	routes.routes(server.API, verifier)
	return server, nil
}
