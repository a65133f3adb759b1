package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/telemetry"
)

// stopMargin is what a process gets beyond Grace to close its connections.
const stopMargin = 3 * time.Second

// replicas is the part of the list that one Pool is.
type replicas struct {
	pool  Pool
	all   []*replica
	grace time.Duration

	cancel context.CancelFunc
	lives  sync.WaitGroup
}

// newReplicas makes as many as cfg says; none runs yet.
func newReplicas(cfg Config, pool Pool, log io.Writer) *replicas {
	rs := &replicas{pool: pool, grace: cfg.Grace, cancel: func() {}}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}}
	for i := range cfg.Replicas[pool.Name] {
		name := fmt.Sprintf("%s-%d", pool.Name, i+1)
		rs.all = append(rs.all, &replica{
			name: name, pool: pool, client: client,
			logger: telemetry.NewLogger(log, pool.Service, cfg.logLevel()).With("part", name),
		})
	}
	return rs
}

// start returns when all replicas are ready or one has failed.
func (rs *replicas) start(ctx context.Context, environ []string) error {
	// Their life ends with stop, in its order, not with the caller's signal.
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	rs.cancel = cancel
	failed := make(chan error, len(rs.all))
	for _, r := range rs.all {
		r.environ = environ
		rs.lives.Go(func() { r.live(life, failed) })
		rs.lives.Go(func() { r.watch(life) })
	}
	ctx, cancelWait := context.WithTimeout(ctx, readyBudget)
	defer cancelWait()
	for _, r := range rs.all {
		for !r.ready.Load() {
			select {
			case err := <-failed:
				return err
			case <-ctx.Done():
				return fmt.Errorf("%s does not get ready: %w", r.name, ctx.Err())
			case <-time.After(readyPoll):
			}
		}
	}
	return nil
}

// stop lets what is under way end within the grace.
func (rs *replicas) stop(ctx context.Context) error {
	rs.cancel()
	ended := make(chan struct{})
	go func() {
		rs.lives.Wait()
		close(ended)
	}()
	ctx, cancel := context.WithTimeout(ctx, rs.grace+stopMargin)
	defer cancel()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return errors.New("what was under way did not end in time")
	}
}

// logLevel is LOG_LEVEL, as in the services' binaries.
func (c Config) logLevel() slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.getenv("LOG_LEVEL"))) // an unknown word leaves info
	return level
}
