package queue_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/testredis"
)

const patience = 10 * time.Second

// spans records what the package's tests trace; otel knows only one provider in a process.
var spans = tracetest.NewInMemoryExporter()

func TestMain(m *testing.M) {
	otel.SetTextMapPropagator(propagation.TraceContext{})
	otel.SetTracerProvider(trace.NewTracerProvider(trace.WithSyncer(spans)))
	os.Exit(testredis.Main(m))
}

// bundle is a client and a server of one queue in databases of their own.
type bundle struct {
	client    *queue.Client
	server    *queue.Server
	redis     *testredis.Redis
	inspector *asynq.Inspector
	registry  *prometheus.Registry
	log       *lockedBuffer
	logger    *slog.Logger
}

func setup(t *testing.T, cfg queue.Config) *bundle {
	t.Helper()
	r := testredis.New(t)
	opt := asynq.RedisClientOpt{Addr: r.Addr(), DB: r.DB(1)}
	b := &bundle{
		client: queue.NewClient(opt), redis: r, inspector: asynq.NewInspector(opt),
		registry: prometheus.NewRegistry(), log: &lockedBuffer{},
	}
	t.Cleanup(func() { _ = b.client.Close() })
	t.Cleanup(func() { _ = b.inspector.Close() })
	b.logger = telemetry.NewLogger(b.log, "waste", slog.LevelDebug)
	if cfg.Concurrency == 0 {
		cfg.Concurrency = 2
	}
	if cfg.ShutdownTimeout == 0 {
		cfg.ShutdownTimeout = patience
	}
	cfg.CheckInterval = 50 * time.Millisecond
	b.server = queue.NewServer(cfg, queue.Waste, opt, b.logger, b.registry)
	return b
}

// run starts the server; the returned function stops it and waits for its end.
func (b *bundle) run(t *testing.T) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.server.Run(ctx) }()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := wait(t, "the end of Run", ended); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (b *bundle) enqueue(t *testing.T, task queue.Task) bool {
	t.Helper()
	sent, err := b.client.Enqueue(t.Context(), with(task))
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// with fills in what a test did not care to choose.
func with(task queue.Task) queue.Task {
	task.Type, task.Queue = "waste:test", queue.Waste
	if task.Timeout == 0 {
		task.Timeout = time.Minute
	}
	return task
}

// eventually polls until the task is in the state.
func (b *bundle) eventually(t *testing.T, id string, state asynq.TaskState) *asynq.TaskInfo {
	t.Helper()
	for deadline := time.Now().Add(patience); ; {
		info, err := b.inspector.GetTaskInfo(queue.Waste, id)
		if err == nil && info.State == state {
			return info
		}
		if time.Now().After(deadline) {
			t.Fatalf("task %s never was %s: %+v, %v", id, state, info, err)
		}
	}
}

func wait[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen within %s", what, patience)
		panic("unreachable")
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestEnqueueOncePerID(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{})
	for i, want := range []bool{true, false, false} {
		if got := b.enqueue(t, queue.Task{ID: "job:1"}); got != want {
			t.Errorf("enqueue %d: %t", i, got)
		}
	}
	if !b.enqueue(t, queue.Task{ID: "job:2"}) {
		t.Error("another id is refused")
	}
	if n := b.redis.Client(1).LLen(t.Context(), "asynq:{waste}:pending").Val(); n != 2 {
		t.Errorf("%d tasks are pending", n)
	}
}

func TestEnqueueRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{})
	sent, err := b.client.Enqueue(t.Context(), with(queue.Task{ID: "1", Payload: func() {}}))
	if err == nil || sent {
		t.Errorf("a payload that is no JSON: %t, %v", sent, err)
	}
}

func TestHandlerGetsPayloadHeadersAndTrace(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{})
	payloads, traces := make(chan string, 1), make(chan oteltrace.SpanContext, 1)
	b.server.Handle("waste:test", func(ctx context.Context, payload []byte) error {
		b.logger.InfoContext(ctx, "at work")
		traces <- oteltrace.SpanContextFromContext(ctx)
		payloads <- string(payload)
		return nil
	})
	ctx, span := otel.Tracer("test").Start(t.Context(), "request")
	_, err := b.client.Enqueue(ctx, with(queue.Task{
		ID: "job:1", JobID: "job-7", RequestID: "request-9", Payload: map[string]int{"n": 1},
	}))
	if err != nil {
		t.Fatal(err)
	}
	span.End()
	stop := b.run(t)
	if got := wait(t, "the task", payloads); got != `{"n":1}` {
		t.Errorf("payload %s", got)
	}
	stop()
	seen := wait(t, "the trace", traces)
	if seen.TraceID() != span.SpanContext().TraceID() {
		t.Errorf("trace %s, sent in %s", seen.TraceID(), span.SpanContext().TraceID())
	}
	recorded := spans.GetSpans()
	i := slices.IndexFunc(recorded, func(s tracetest.SpanStub) bool {
		return s.SpanContext.SpanID() == seen.SpanID()
	})
	if i < 0 {
		t.Fatal("the handler's span is not recorded")
	}
	if s := recorded[i]; s.Name != "waste:test" || s.SpanKind != oteltrace.SpanKindConsumer ||
		s.Parent.SpanID() != span.SpanContext().SpanID() {
		t.Errorf("span %s of kind %s below %s", s.Name, s.SpanKind, s.Parent.SpanID())
	}
	for line := range strings.Lines(b.log.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatal(err)
		}
		if record["msg"] == "at work" {
			if record["request_id"] != "request-9" || record["job_id"] != "job-7" ||
				record["task"] != "waste:test" || record["trace_id"] != seen.TraceID().String() {
				t.Errorf("logged %s", line)
			}
			return
		}
	}
	t.Error("the handler's line is missing")
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	tests := map[string]struct {
		err     error
		state   asynq.TaskState
		outcome string
		// after is the least and the most wait before the next try.
		after [2]time.Duration
	}{
		"permanent": {queue.Permanent(fault), asynq.TaskStateArchived, "dead", [2]time.Duration{}},
		"other": {
			fault, asynq.TaskStateRetry, "retry",
			[2]time.Duration{250 * time.Millisecond, 500 * time.Millisecond},
		},
		"chosen delay": {
			&queue.RetryError{Err: fault, Delay: time.Hour}, asynq.TaskStateRetry, "retry",
			[2]time.Duration{time.Hour, time.Hour},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, queue.Config{})
			began := make(chan time.Time, 9)
			b.server.Handle("waste:test", func(context.Context, []byte) error {
				began <- time.Now()
				return tt.err
			})
			stop := b.run(t)
			b.enqueue(t, queue.Task{ID: "job:1", MaxRetry: 5})
			start := wait(t, "the task", began)
			info := b.eventually(t, "job:1", tt.state)
			stop()
			if !strings.Contains(info.LastErr, "fault") {
				t.Errorf("last error %q", info.LastErr)
			}
			if n := samples(t, b.registry, "waste_task_run_seconds", tt.outcome); n == 0 {
				t.Errorf("no run counted as %s", tt.outcome)
			}
			if tt.after[1] == 0 {
				return
			}
			due, err := b.redis.Client(1).ZScore(t.Context(), "asynq:{waste}:retry", "job:1").Result()
			if err != nil {
				t.Fatal(err)
			}
			// Redis keeps whole seconds.
			wait := time.Unix(int64(due), 0).Sub(start)
			if wait < tt.after[0]-time.Second || wait > tt.after[1]+2*time.Second {
				t.Errorf("the next try is in %s, want %v", wait, tt.after)
			}
		})
	}
}

func TestErrorsKeepTheirCause(t *testing.T) {
	t.Parallel()
	fault := errors.New("fault")
	if err := queue.Permanent(fault); !errors.Is(err, fault) || !errors.Is(err, asynq.SkipRetry) {
		t.Errorf("permanent: %v", err)
	}
	err := error(&queue.RetryError{Err: fault, Delay: time.Second})
	if !errors.Is(err, fault) || err.Error() != "fault (again in 1s)" {
		t.Errorf("retry: %v", err)
	}
}

func TestRetryDelayGrowsToItsBound(t *testing.T) {
	t.Parallel()
	for n, full := range map[int]time.Duration{
		0: 500 * time.Millisecond, 1: time.Second, 3: 4 * time.Second, 6: 30 * time.Second, 99: 30 * time.Second,
	} {
		seen := map[time.Duration]bool{}
		for range 50 {
			d := queue.RetryDelay(n)
			seen[d] = true
			if d < full/2 || d >= full {
				t.Errorf("retry %d waits %s, want %s to %s", n, d, full/2, full)
			}
		}
		if len(seen) < 2 {
			t.Errorf("retry %d has no jitter", n)
		}
	}
}

func TestWaitIsMeasuredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{})
	runs := make(chan struct{}, 2)
	var first atomic.Bool
	b.server.Handle("waste:test", func(context.Context, []byte) error {
		defer func() { runs <- struct{}{} }()
		if first.CompareAndSwap(false, true) {
			return &queue.RetryError{Err: errors.New("again"), Delay: 0}
		}
		return nil
	})
	stop := b.run(t)
	b.enqueue(t, queue.Task{ID: "job:1", MaxRetry: 1})
	wait(t, "the first run", runs)
	wait(t, "the second run", runs)
	stop()
	if n := samples(t, b.registry, "waste_task_wait_seconds", ""); n != 1 {
		t.Errorf("%d waits of one task: a retry's delay is no wait", n)
	}
}

// samples counts the observations of a histogram with the outcome, or of all outcomes.
func samples(t *testing.T, from prometheus.Gatherer, name, outcome string) uint64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	for _, family := range families {
		for _, m := range family.GetMetric() {
			matches := outcome == ""
			for _, l := range m.GetLabel() {
				matches = matches || l.GetName() == "outcome" && l.GetValue() == outcome
			}
			if family.GetName() == name && matches {
				n += m.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}

func TestIdlePickupIsFast(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{})
	began := make(chan time.Time, 1)
	b.server.Handle("waste:test", func(context.Context, []byte) error {
		began <- time.Now()
		return nil
	})
	b.run(t)
	took := make([]time.Duration, 20)
	for i := range took {
		sent := time.Now()
		b.enqueue(t, queue.Task{ID: "job:" + string(rune('a'+i))})
		took[i] = wait(t, "the task", began).Sub(sent)
	}
	slices.Sort(took)
	median := took[len(took)/2]
	t.Logf("median %s, worst %s", median, took[len(took)-1])
	if median > 500*time.Millisecond { // 100 ms on a quiet machine
		t.Errorf("median pickup %s", median)
	}
}
