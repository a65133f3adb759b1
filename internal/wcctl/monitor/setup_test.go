package monitor

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/redisserver"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
	"github.com/wastecoach/wastecoach/services/waste"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

const (
	patience  = 30 * time.Second
	testToken = "token-of-the-test"
)

// stack is the waste service on real PostgreSQL and a Redis of its own, as wcctl dev tells of it.
type stack struct {
	t     testing.TB
	db    *testdb.DB
	redis *redisserver.Server
	pool  *pgxpool.Pool
	dir   string
	state devstate.State
}

func setup(t testing.TB) *stack {
	t.Helper()
	srv, err := redisserver.Start(t.Context(), redisserver.Config{Dir: t.TempDir(), Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Kill() })
	s := &stack{t: t, db: testdb.New(t, "waste"), redis: srv, dir: t.TempDir()}
	s.pool = s.db.Pool(testdb.Superuser)
	s.state = devstate.State{
		URL: "http://127.0.0.1:1", RedisAddr: srv.Addr(), WasteToken: testToken,
		Replicas: map[string][]string{}, MetricsURLs: map[string]string{},
	}
	s.serve()
	return s
}

// serve starts a replica of the service, and tells of it alone.
func (s *stack) serve() {
	s.t.Helper()
	addr := freeAddr(s.t)
	cfg, err := waste.LoadConfig([]string{
		"WASTE_POSTGRES_DSN=" + s.db.DSN("waste"), "WASTE_REDIS_ADDR=" + s.redis.Addr(),
		"WASTE_S3_ENDPOINT=http://127.0.0.1:1", "WASTE_S3_BUCKET=b", "WASTE_S3_REGION=us-east-1",
		"WASTE_S3_ACCESS_KEY=a", "WASTE_S3_SECRET_KEY=s", "WASTE_VISION_PROVIDER=simulator",
		"WASTE_JWKS_URL=http://127.0.0.1:1", "WASTE_LOCATIONS_URL=http://127.0.0.1:1",
		"WASTE_HTTP_ADDR=" + addr, "WASTE_INTERNAL_TOKEN=" + testToken,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- waste.Serve(ctx, cfg, slog.New(slog.DiscardHandler)) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("the service ended with %v", err)
		}
	})
	url := "http://" + addr
	until(s.t, "the waste service", func() bool {
		r, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	s.state.Replicas["waste"] = []string{url}
	s.state.MetricsURLs["waste-1"] = url + "/metrics"
	s.tell()
}

func (s *stack) tell() {
	s.t.Helper()
	if err := devstate.Write(s.dir, s.state); err != nil {
		s.t.Fatal(err)
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// work runs a worker of the queue waste that tells of itself, too. Each task is handed to the test.
func (s *stack) work(handle queue.Handler) func() {
	s.t.Helper()
	registry := telemetry.NewRegistry()
	server := queue.NewServer(queue.Config{
		Concurrency: 3, CheckInterval: 20 * time.Millisecond, ShutdownTimeout: time.Second,
	}, queue.Waste, s.asynq(), slog.New(slog.DiscardHandler), registry)
	server.Handle("waste:analyze", handle)
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {})
	web := httptest.NewServer(mux)
	s.t.Cleanup(web.Close)
	s.state.MetricsURLs["waste-worker-1"] = web.URL + "/metrics"
	s.tell()
	stopped := false
	stop := func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			s.t.Logf("the worker ended: %v", err) // Redis may be gone by then
		}
	}
	s.t.Cleanup(stop)
	return stop
}

func (s *stack) asynq() asynq.RedisClientOpt {
	return asynq.RedisClientOpt{Addr: s.redis.Addr(), DB: 1}
}

// add makes a job of that status and, where it is queued, its task.
func (s *stack) add(status job.Status) uuid.UUID {
	s.t.Helper()
	id := s.addRow(status)
	if status == job.Queued {
		s.enqueue(id.String() + ":0")
	}
	return id
}

func (s *stack) addRow(status job.Status) uuid.UUID {
	s.t.Helper()
	id, upload := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
	_, err := s.pool.Exec(s.t.Context(), `WITH u AS (
			INSERT INTO waste.uploads (id, user_id, sha256, size, content_type, object_key, created_at,
				expires_at, upload_ends_at)
			VALUES ($1::uuid, $2::uuid, sha256($5::bytea), 1000, 'image/jpeg', $6, now(), now(), now()))
		INSERT INTO waste.analyses (id, user_id, upload_id, idempotency_key, request_hash, request_id, locale,
			status, stage, check_at, created_at, updated_at, expires_at)
		SELECT $3::uuid, $2::uuid, $1::uuid, $6, '', 'request', 'ko', $4::text, 'queue',
			CASE WHEN $4::text = 'queued' THEN now() + interval '1 hour' END, now(), now(),
			now() + interval '30 days'`,
		upload, uuid.Must(uuid.NewV4()), id, string(status), upload.Bytes(), upload.String())
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s *stack) enqueue(task string) {
	s.t.Helper()
	client := queue.NewClient(s.asynq())
	defer client.Close()
	_, err := client.Enqueue(s.t.Context(), queue.Task{
		Type: "waste:analyze", ID: task, Queue: queue.Waste, Payload: map[string]string{},
		Timeout: time.Minute, MaxRetry: 100,
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) open() *System {
	s.t.Helper()
	system, err := Open(s.t.Context(), Options{Data: s.dir, Actor: "alice@laptop"})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = system.Close() })
	return system
}

func (s *stack) picture(system *System) Picture {
	s.t.Helper()
	p, err := system.Picture(s.t.Context(), JobQuery{Limit: 50})
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
		<-tick.C
	}
}
