package recycling

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	apidoc "github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/llm"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

const (
	serviceName = "recycling"
	// forgetInterval is how often a worker deletes the answers of old jobs.
	forgetInterval = time.Hour
)

// Serve runs the API until ctx ends.
func Serve(ctx context.Context, cfg Config, logger *slog.Logger) error {
	p, err := open(ctx, cfg, serviceName, logger)
	if err != nil {
		return err
	}
	defer p.close()
	server, err := p.server(cfg, map[string]httpserver.Check{
		"postgres": postgres.Ready(p.pool), "rules": p.rules.ready,
	})
	if err != nil {
		return err
	}
	erasure.Mount(server.Internal(), cfg.InternalToken, &eraser{p.rules.store})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, cfg.HTTP) })
	group.Go(func() error {
		p.rules.load(ctx)
		return nil
	})
	return group.Wait()
}

// Work runs the worker, and its health routes, until ctx ends.
func Work(ctx context.Context, cfg Config, logger *slog.Logger) error {
	p, err := open(ctx, cfg, serviceName+"-worker", logger)
	if err != nil {
		return err
	}
	defer p.close()
	w, err := p.worker(cfg)
	if err != nil {
		return err
	}
	queues := queue.NewServer(cfg.Queue, queue.Recycling, cfg.Redis.Asynq(), logger, p.registry)
	queues.Handle(pipeline.Advise, w.advise)
	queues.Handle(taskAnswer, w.answer)
	server, err := p.server(cfg, map[string]httpserver.Check{
		"postgres": postgres.Ready(p.pool), "redis": redisdb.Ready(p.jobs), "rules": p.rules.ready,
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, cfg.HTTP) })
	group.Go(func() error {
		if !p.rules.load(ctx) {
			return nil
		}
		return queues.Run(ctx)
	})
	group.Go(func() error { return w.forget(ctx, cfg.Retention) })
	return group.Wait()
}

// parts are what the API and the worker both stand on.
type parts struct {
	pool         *pgxpool.Pool
	jobs, advice *redis.Client
	tasks        *queue.Client
	rules        *rules
	registry     *prometheus.Registry
	adviser      *adviser
	logger       *slog.Logger
}

func open(ctx context.Context, cfg Config, application string, logger *slog.Logger) (*parts, error) {
	prompt, err := llm.PromptVersion()
	if err != nil {
		return nil, err
	}
	pool, err := postgres.Open(ctx, cfg.Postgres, application)
	if err != nil {
		return nil, err
	}
	rules, err := newRules(pool, logger)
	if err != nil {
		pool.Close()
		return nil, err
	}
	p := &parts{
		pool: pool, jobs: cfg.Redis.Open(redisdb.Jobs), advice: cfg.Redis.Open(redisdb.Advice),
		tasks: queue.NewClient(cfg.Redis.Asynq()), rules: rules,
		registry: telemetry.NewRegistry(), logger: logger,
	}
	p.adviser = &adviser{
		cache:   newAdviceCache(p.advice, cfg.LLM.ModelName(), prompt),
		desk:    &desk{store: rules.store, tasks: p.tasks, logger: logger},
		metrics: newAdviceMetrics(p.registry), logger: logger,
	}
	return p, nil
}

func (p *parts) close() {
	_ = p.tasks.Close()
	_ = p.advice.Close()
	_ = p.jobs.Close()
	p.pool.Close()
}

func (p *parts) worker(cfg Config) (*worker, error) {
	model, err := llm.New(cfg.LLM, modelprovider.Deps{Log: p.logger, Registerer: p.registry, Redis: p.jobs})
	if err != nil {
		return nil, err
	}
	p.adviser.model = model
	return &worker{
		name: workerName(), lease: cfg.Lease, store: p.rules.store, rules: p.rules, adviser: p.adviser,
		progress: progress.NewStore(p.jobs), tasks: p.tasks, logger: p.logger,
	}, nil
}

func (p *parts) server(cfg Config, ready map[string]httpserver.Check) (*httpserver.Server, error) {
	return newServer(&api{
		service: &service{
			store: p.rules.store, rules: p.rules, adviser: p.adviser,
			ruleOnly: cfg.LLM.Provider == modelprovider.None,
		},
		retention: cfg.Retention, now: time.Now,
	}, p.registry, ready)
}

func newRules(pool *pgxpool.Pool, logger *slog.Logger) (*rules, error) {
	base, err := rulebase.Load()
	if err != nil {
		return nil, err
	}
	return &rules{base: base, store: &store{pool: pool}, logger: logger}, nil
}

func newServer(
	routes *api, registry *prometheus.Registry, ready map[string]httpserver.Check,
) (*httpserver.Server, error) {
	document, err := apidoc.JSON(serviceName)
	if err != nil {
		return nil, err
	}
	server := httpserver.New(httpserver.Options{
		Service: serviceName, Logger: routes.service.rules.logger, Registry: registry,
		OpenAPI: document, Ready: ready,
	})
	routes.routes(server.API)
	return server, nil
}

// forget deletes the answers of old jobs now and then, until ctx ends.
func (w *worker) forget(ctx context.Context, retention time.Duration) error {
	ticker := time.NewTicker(forgetInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		n, err := w.store.forgetJobs(ctx, retention)
		if err != nil {
			w.logger.WarnContext(ctx, "old jobs not forgotten", "error", err)
			continue
		}
		w.logger.InfoContext(ctx, "old jobs forgotten", "jobs", n)
	}
}

func workerName() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s/%d", host, os.Getpid())
}
