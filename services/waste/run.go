package waste

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/imagehash"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/token"
	"github.com/wastecoach/wastecoach/internal/vision"
)

// parts are the connections that the API and the worker both need.
type parts struct {
	pool     *pgxpool.Pool
	jobs     *redis.Client
	common   *redis.Client
	tasks    *queue.Client
	looks    *asynq.Inspector
	objects  *objectstore.Store
	registry *prometheus.Registry
	metrics  *metrics
}

func open(ctx context.Context, cfg Config, application string) (*parts, error) {
	pool, err := postgres.Open(ctx, cfg.Postgres, application)
	if err != nil {
		return nil, err
	}
	registry := telemetry.NewRegistry()
	return &parts{
		pool:     pool,
		jobs:     cfg.Redis.Open(redisdb.Jobs),
		common:   cfg.Redis.Open(redisdb.Common),
		tasks:    queue.NewClient(cfg.Redis.Asynq()),
		looks:    asynq.NewInspector(cfg.Redis.Asynq()),
		objects:  objectstore.New(cfg.S3),
		registry: registry,
		metrics:  newMetrics(registry),
	}, nil
}

func (p *parts) close() {
	_ = p.looks.Close()
	_ = p.tasks.Close()
	_ = p.common.Close()
	_ = p.jobs.Close()
	p.pool.Close()
}

func (p *parts) imageCache(cfg Config, logger *slog.Logger) (*imageCache, error) {
	promptVersion, err := vision.PromptVersion(cfg.Vision)
	if err != nil {
		return nil, err
	}
	return &imageCache{
		redis: p.common, prefix: "image:" + generation(cfg.Vision.ModelName(), promptVersion) + ":",
		thresholds: imagehash.DefaultThresholds(), metrics: p.metrics, logger: logger, now: time.Now,
	}, nil
}

// Serve runs the API until ctx ends.
func Serve(ctx context.Context, cfg Config, logger *slog.Logger) error {
	p, err := open(ctx, cfg, "waste")
	if err != nil {
		return err
	}
	defer p.close()
	verifier, err := token.NewVerifier(token.RemoteKeys(ctx, cfg.JWKSURL, time.Now), time.Now)
	if err != nil {
		return err
	}
	server, err := p.server(cfg, verifier, logger)
	if err != nil {
		return err
	}
	return server.Run(ctx, cfg.HTTP)
}

func (p *parts) server(
	cfg Config, verifier *token.Verifier, logger *slog.Logger,
) (*httpserver.Server, error) {
	document, err := api.JSON("waste")
	if err != nil {
		return nil, err
	}
	cache, err := p.imageCache(cfg, logger)
	if err != nil {
		return nil, err
	}
	p.registry.MustRegister(queue.NewCollector(p.jobs, queue.Waste, queue.Recycling))
	server := httpserver.New(httpserver.Options{
		Service: "waste", Logger: logger, Registry: p.registry, OpenAPI: document, Common: p.common,
		Ready: map[string]httpserver.Check{"PostgreSQL": postgres.Ready(p.pool)},
	})
	store, shown := NewStore(p.pool), progress.NewStore(p.jobs)
	handlers := &routes{
		service: &Service{
			store: store, objects: p.objects, progress: shown,
			outbox: &outbox{queue: p.tasks, cfg: cfg.Jobs},
			cache:  cache,
			places: newPlaces(cfg.LocationsURL, logger), metrics: p.metrics,
			limits: cfg.Photo.limits(), jobs: cfg.Jobs, logger: logger, now: time.Now,
		},
		poll: &poller{
			store: store, progress: shown, draining: server.Draining(), logger: logger,
			now: time.Now,
		},
	}
	handlers.add(server.API, verifier)
	(&person{store}).add(erasure.Mount(server.Internal(), cfg.InternalToken, &eraser{
		store: store, objects: p.objects, progress: shown,
		tasks: queue.NewForgetter(p.jobs, p.looks), cache: cache,
	}))
	operator.Mount(server.Internal(), cfg.InternalToken, &overseer{
		store: store, jobs: p.jobs, looks: p.looks, objects: p.objects, progress: shown,
		outbox: &outbox{queue: p.tasks, cfg: cfg.Jobs}, cfg: cfg.Jobs, metrics: p.metrics,
		logger: logger, audit: audit.New(logger),
	})
	return server, nil
}

// Work runs the worker, the reconciler's candidate and the health routes until ctx ends.
func Work(ctx context.Context, cfg Config, logger *slog.Logger) error {
	p, err := open(ctx, cfg, "waste-worker")
	if err != nil {
		return err
	}
	defer p.close()
	w, err := p.worker(cfg, logger)
	if err != nil {
		return err
	}
	tasks := queue.NewServer(cfg.Worker, queue.Waste, cfg.Redis.Asynq(), logger, p.registry)
	tasks.Handle(pipeline.Analyze, w.analyze)
	tasks.Handle(pipeline.Complete, w.complete)
	health := httpserver.New(httpserver.Options{
		Service: "waste_worker", Logger: logger, Registry: p.registry,
		Ready: map[string]httpserver.Check{
			"PostgreSQL": postgres.Ready(p.pool), "Redis": redisdb.Ready(p.jobs),
		},
	})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return tasks.Run(ctx) })
	group.Go(func() error { return health.Run(ctx, cfg.HTTP) })
	group.Go(func() error {
		return postgres.Lead(ctx, p.pool, reconcilerLock, logger, w.leader(p.looks).run)
	})
	return group.Wait()
}

func (p *parts) worker(cfg Config, logger *slog.Logger) (*worker, error) {
	cache, err := p.imageCache(cfg, logger)
	if err != nil {
		return nil, err
	}
	analyzer, err := vision.New(cfg.Vision, modelprovider.Deps{
		Log: logger, Registerer: p.registry, Redis: p.jobs,
	})
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("naming the worker: %w", err)
	}
	return &worker{
		name:  fmt.Sprintf("%s/%d/%s", host, os.Getpid(), uuid.Must(uuid.NewV4()).String()[:4]),
		store: NewStore(p.pool), objects: p.objects, progress: progress.NewStore(p.jobs),
		outbox: &outbox{queue: p.tasks, cfg: cfg.Jobs},
		cache:  cache, places: newPlaces(cfg.LocationsURL, logger),
		vision: analyzer, normalizer: photo.NewNormalizer(cfg.Photo.limits(), decodeSlots),
		limits: cfg.Photo.limits(), cfg: cfg.Jobs, metrics: p.metrics, logger: logger,
	}, nil
}

// decodeSlots bounds how many photos are in memory at once: 50 megapixels take up to 400 MB.
const decodeSlots = 2

// leader is what exactly one worker does beside its tasks.
type leader struct {
	reconciler *reconciler
	tidier     *tidier
}

func (w *worker) leader(inspector *asynq.Inspector) *leader {
	return &leader{
		reconciler: &reconciler{
			store: w.store, objects: w.objects, progress: w.progress, outbox: w.outbox,
			inspector: inspector, cfg: w.cfg, metrics: w.metrics, logger: w.logger,
		},
		tidier: &tidier{
			store: w.store, objects: w.objects, progress: w.progress,
			normalizer: w.normalizer, limits: w.limits, logger: w.logger,
		},
	}
}

func (l *leader) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return l.reconciler.run(ctx) })
	group.Go(func() error { return l.tidier.run(ctx) })
	return group.Wait()
}
