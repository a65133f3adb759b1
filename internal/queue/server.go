package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/wastecoach/wastecoach/internal/telemetry"
)

// Config says how a worker takes tasks.
type Config struct {
	// Concurrency is how many tasks run at once.
	Concurrency int `env:"CONCURRENCY" envDefault:"4"`
	// CheckInterval is how often an idle worker looks: asynq's own second makes pickup slow.
	CheckInterval time.Duration `env:"CHECK_INTERVAL" envDefault:"50ms"`
	// ShutdownTimeout is how long tasks under way may go on; keep it above a task's timeout.
	ShutdownTimeout time.Duration `env:"SHUTDOWN_TIMEOUT" envDefault:"75s"`
}

// releaseTime is what a handler gets, at the end of ShutdownTimeout, to hand its job back.
const releaseTime = time.Second

// Handler runs one task. It may be called twice for the same task.
type Handler func(ctx context.Context, payload []byte) error

// Permanent wraps an error that no retry can mend; the task becomes a dead letter.
func Permanent(err error) error { return fmt.Errorf("%w: %w", err, asynq.SkipRetry) }

// Server runs the tasks of one queue.
type Server struct {
	cfg    Config
	queue  string
	redis  asynq.RedisConnOpt
	logger *slog.Logger
	mux    *asynq.ServeMux
	wait   *prometheus.HistogramVec
	run    *prometheus.HistogramVec
	// running outlives asynq's own count: asynq frees a slot when a task's context ends, while its
	// handler may still be handing the job back.
	running sync.WaitGroup
}

// NewServer returns a Server without handlers.
func NewServer(
	cfg Config, queue string, redis asynq.RedisConnOpt, logger *slog.Logger,
	registry prometheus.Registerer,
) *Server {
	buckets := []float64{.025, .05, .1, .25, .5, 1, 2, 5, 10, 30, 60}
	s := &Server{
		cfg: cfg, queue: queue, redis: redis, logger: logger, mux: asynq.NewServeMux(),
		wait: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: queue, Name: "task_wait_seconds", Buckets: buckets,
			Help: "From a task's due time to its start.",
		}, []string{"type"}),
		run: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: queue, Name: "task_run_seconds", Buckets: buckets,
			Help: "Run time of a task by outcome.",
		}, []string{"type", "outcome"}),
	}
	registry.MustRegister(s.wait, s.run)
	return s
}

// Handle registers the handler of a task type.
func (s *Server) Handle(taskType string, h Handler) {
	s.mux.HandleFunc(taskType, func(ctx context.Context, t *asynq.Task) error {
		return s.observe(ctx, t, h)
	})
}

// Run takes tasks until ctx ends, then lets those under way finish within ShutdownTimeout.
func (s *Server) Run(ctx context.Context) error {
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	server := asynq.NewServer(s.redis, asynq.Config{
		Concurrency:              s.cfg.Concurrency,
		Queues:                   map[string]int{s.queue: 1},
		BaseContext:              func() context.Context { return base },
		TaskCheckInterval:        s.cfg.CheckInterval,
		DelayedTaskCheckInterval: time.Second,
		ShutdownTimeout:          s.cfg.ShutdownTimeout,
		RetryDelayFunc:           retryDelay,
		Logger:                   asynqLogger{s.logger},
		LogLevel:                 asynq.WarnLevel,
	})
	if err := server.Start(s.mux); err != nil {
		return fmt.Errorf("starting the %s worker: %w", s.queue, err)
	}
	<-ctx.Done()
	// asynq never tells a handler that the worker stops: end the base context just before it
	// takes the slot away, so that the handler can hand its job back.
	timer := time.AfterFunc(max(0, s.cfg.ShutdownTimeout-releaseTime), cancel)
	defer timer.Stop()
	server.Shutdown()
	cancel()
	s.running.Wait() // handlers end with their context, which is over by now
	return nil
}

func (s *Server) observe(ctx context.Context, t *asynq.Task, h Handler) error {
	s.running.Add(1)
	defer s.running.Done()
	headers := t.Headers()
	ctx = otel.GetTextMapPropagator().Extract(ctx, propagation.MapCarrier(headers))
	ctx, span := otel.Tracer("queue").Start(ctx, t.Type(), trace.WithSpanKind(trace.SpanKindConsumer))
	defer span.End()
	ctx = telemetry.With(ctx, slog.String(headerRequestID, headers[headerRequestID]),
		slog.String(headerJobID, headers[headerJobID]), slog.String("task", t.Type()))
	start := time.Now()
	// A retry is due later than the header says.
	if retried, _ := asynq.GetRetryCount(ctx); retried > 0 {
		s.logger.DebugContext(ctx, "task runs again", "retried", retried)
	} else if due, ok := queuedAt(headers); ok {
		s.wait.WithLabelValues(t.Type()).Observe(max(0, start.Sub(due).Seconds()))
	}
	err := h(ctx, t.Payload())
	s.run.WithLabelValues(t.Type(), outcome(err)).Observe(time.Since(start).Seconds())
	if err != nil {
		s.logger.WarnContext(ctx, "task ended with an error", "error", err)
		span.RecordError(err)
	}
	return err
}

func outcome(err error) string {
	switch {
	case err == nil:
		return "done"
	case errors.Is(err, asynq.SkipRetry):
		return "dead"
	default:
		return "retry"
	}
}

const (
	firstRetry = 500 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// RetryDelay is how long retry number n (from 0) waits: doubling, with jitter.
func RetryDelay(n int) time.Duration {
	delay := min(lastRetry, firstRetry<<min(n, 10))
	return delay/2 + rand.N(delay/2) //nolint:gosec // jitter is no secret
}

// RetryError is an error whose task runs again after Delay, not after asynq's own choice.
type RetryError struct {
	Err   error
	Delay time.Duration
}

// Error implements error.
func (e *RetryError) Error() string { return fmt.Sprintf("%v (again in %s)", e.Err, e.Delay) }

// Unwrap returns the cause.
func (e *RetryError) Unwrap() error { return e.Err }

func retryDelay(n int, err error, _ *asynq.Task) time.Duration {
	var known *RetryError
	if errors.As(err, &known) {
		return known.Delay
	}
	return RetryDelay(n)
}
