package recycling

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
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
	pool, err := postgres.Open(ctx, cfg.Postgres, serviceName)
	if err != nil {
		return err
	}
	defer pool.Close()
	rules, err := newRules(pool, logger)
	if err != nil {
		return err
	}
	server, err := newServer(rules, telemetry.NewRegistry(), map[string]httpserver.Check{
		"postgres": postgres.Ready(pool), "rules": rules.ready,
	})
	if err != nil {
		return err
	}
	erasure.Mount(server.Internal(), cfg.InternalToken, &eraser{rules.store})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, cfg.HTTP) })
	group.Go(func() error {
		rules.load(ctx)
		return nil
	})
	return group.Wait()
}

// Work runs the worker, and its health routes, until ctx ends.
func Work(ctx context.Context, cfg Config, logger *slog.Logger) error {
	pool, err := postgres.Open(ctx, cfg.Postgres, serviceName+"-worker")
	if err != nil {
		return err
	}
	defer pool.Close()
	jobs, cache := cfg.Redis.Open(redisdb.Jobs), cfg.Redis.Open(redisdb.Advice)
	defer jobs.Close()
	defer cache.Close()
	tasks := queue.NewClient(cfg.Redis.Asynq())
	defer tasks.Close()
	rules, err := newRules(pool, logger)
	if err != nil {
		return err
	}
	registry := telemetry.NewRegistry()
	model, err := llm.New(cfg.LLM, modelprovider.Deps{Log: logger, Registerer: registry, Redis: jobs})
	if err != nil {
		return err
	}
	prompt, err := llm.PromptVersion()
	if err != nil {
		return err
	}
	w := &worker{
		name: workerName(), lease: cfg.Lease, store: rules.store, rules: rules,
		adviser: &adviser{
			model: model, cache: &adviceCache{redis: cache, model: cfg.LLM.ModelName(), prompt: prompt},
			metrics: newAdviceMetrics(registry), logger: logger,
		},
		progress: progress.NewStore(jobs), tasks: tasks, logger: logger,
	}
	queues := queue.NewServer(cfg.Queue, queue.Recycling, cfg.Redis.Asynq(), logger, registry)
	queues.Handle(pipeline.Advise, w.advise)
	server, err := newServer(rules, registry, map[string]httpserver.Check{
		"postgres": postgres.Ready(pool), "redis": redisdb.Ready(jobs), "rules": rules.ready,
	})
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Run(ctx, cfg.HTTP) })
	group.Go(func() error {
		if !rules.load(ctx) {
			return nil
		}
		return queues.Run(ctx)
	})
	group.Go(func() error { return w.forget(ctx, cfg.Retention) })
	return group.Wait()
}

func newRules(pool *pgxpool.Pool, logger *slog.Logger) (*rules, error) {
	base, err := rulebase.Load()
	if err != nil {
		return nil, err
	}
	return &rules{base: base, store: &store{pool: pool}, logger: logger}, nil
}

func newServer(
	rules *rules, registry *prometheus.Registry, ready map[string]httpserver.Check,
) (*httpserver.Server, error) {
	document, err := apidoc.JSON(serviceName)
	if err != nil {
		return nil, err
	}
	server := httpserver.New(httpserver.Options{
		Service: serviceName, Logger: rules.logger, Registry: registry, OpenAPI: document, Ready: ready,
	})
	(&api{service: &service{store: rules.store, rules: rules}}).routes(server.API)
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
