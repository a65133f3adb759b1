//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/openaitest"
	"github.com/wastecoach/wastecoach/internal/testphoto"
)

const (
	chaosJobs      = 1000
	chaosKillEvery = 2 * time.Second
	chaosDeadline  = 8 * time.Minute
)

// TestWorkersKilledAndRedisFlushed is the promise that no job is lost and no finished stage is paid
// for again: 1,000 jobs, a worker killed every two seconds, Redis emptied once.
func TestWorkersKilledAndRedisFlushed(t *testing.T) {
	model, modelURL := openModel(t)
	s := startStack(t, []string{
		"WASTE_VISION_BASE_URL=" + modelURL, "WASTE_VISION_MODEL=chaos",
		"WASTE_VISION_DAILY_BUDGET_MICRO_USD=0", "WASTE_VISION_BREAKER_FAILURES=1000000",
		"RECYCLING_LLM_BASE_URL=" + modelURL, "RECYCLING_LLM_MODEL=chaos",
		"RECYCLING_LLM_DAILY_BUDGET_MICRO_USD=0", "RECYCLING_LLM_BREAKER_FAILURES=1000000",
	}, "--vision", "openai", "--llm", "openai",
		"--replicas", "waste-worker=0,recycling-worker=0")
	db := s.database()
	countResults(t, db)

	pool := &workers{t: t, stack: s}
	for range 5 {
		pool.start("waste")
	}
	for range 2 {
		pool.start("recycling")
	}
	ctx, stop := context.WithCancel(t.Context())
	var killing sync.WaitGroup
	killing.Go(func() { pool.killOneAfterAnother(ctx) })

	start := time.Now()
	submit(t, s.api(), chaosJobs)
	t.Logf("%d jobs submitted in %s", chaosJobs, time.Since(start).Round(time.Second))
	flush(t, s)
	waitForAll(t, db)
	took := time.Since(start)
	stop()
	killing.Wait()

	t.Logf("%d jobs ended in %s; %d workers killed; %d model calls, %d answered",
		chaosJobs, took.Round(time.Second), pool.killed, len(model.Calls()), len(model.Answered()))
	if pool.killed < int(took/chaosKillEvery)/2 {
		t.Errorf("only %d workers were killed", pool.killed)
	}
	assertEachOnce(t, db)
	assertNotPaidTwice(t, db, model)
}

func openModel(t *testing.T) (*openaitest.Server, string) {
	t.Helper()
	model := openaitest.New()
	t.Cleanup(model.Close)
	model.Mix(1, openaitest.Chance{Share: 1, Behavior: openaitest.Slow(200 * time.Millisecond)})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: model, ReadHeaderTimeout: time.Minute}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(listener) }()
	return model, "http://" + listener.Addr().String() + "/v1"
}

// countResults lets the database itself count how often each job's result is stored.
func countResults(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	_, err := db.Exec(t.Context(), `
		CREATE TABLE public.results (id uuid NOT NULL, stored_at timestamptz DEFAULT clock_timestamp());
		GRANT INSERT ON public.results TO waste;
		CREATE FUNCTION public.count_result() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN INSERT INTO public.results (id) VALUES (NEW.id); RETURN NEW; END $$;
		CREATE TRIGGER count_result AFTER UPDATE OF result ON waste.analyses
			FOR EACH ROW WHEN (NEW.result IS NOT NULL) EXECUTE FUNCTION public.count_result()`)
	if err != nil {
		t.Fatal(err)
	}
}

// submit sends jobs with pictures that differ, as eight clients at once.
func submit(t *testing.T, api *client.Client, jobs int) {
	t.Helper()
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(8)
	for i := range jobs {
		group.Go(func() error {
			id, err := api.UploadPhoto(ctx, testphoto.JPEG(testphoto.Picture(uint64(i)), 90), "image/jpeg")
			if err != nil {
				return fmt.Errorf("uploading photo %d: %w", i, err)
			}
			_, err = api.CreateAnalysis(ctx, client.AnalysisRequest{
				UploadID: id, IdempotencyKey: fmt.Sprintf("chaos-%d", i),
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// flush empties all of Redis: sessions, queues, progress and caches.
func flush(t *testing.T, s *stack) {
	t.Helper()
	r := redis.NewClient(&redis.Options{Addr: s.Redis, Password: s.RedisPassword})
	defer r.Close() //nolint:errcheck // nothing is written after
	if err := r.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func waitForAll(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	deadline := time.Now().Add(chaosDeadline)
	for tick := time.NewTicker(time.Second); ; <-tick.C {
		left := one[int](t, db, `SELECT count(*) FROM waste.analyses WHERE check_at IS NOT NULL`)
		if left == 0 {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d jobs have not ended after %s", left, chaosDeadline)
		}
	}
}

func assertEachOnce(t *testing.T, db *pgxpool.Pool) {
	t.Helper()
	if n := one[int](t, db, `SELECT count(*) FROM waste.analyses
		WHERE status = 'succeeded' AND result IS NOT NULL`); n != chaosJobs {
		t.Errorf("%d jobs succeeded, want %d", n, chaosJobs)
	}
	stored := one[int](t, db, `SELECT count(*) FROM public.results`)
	distinct := one[int](t, db, `SELECT count(DISTINCT id) FROM public.results`)
	if stored != chaosJobs || distinct != chaosJobs {
		t.Errorf("%d results of %d jobs were stored, want one each of %d", stored, distinct, chaosJobs)
	}
}

// assertNotPaidTwice looks for model calls that began after their stage's outcome was stored.
func assertNotPaidTwice(t *testing.T, db *pgxpool.Pool, model *openaitest.Server) {
	t.Helper()
	finished := map[string]time.Time{}
	for stage, sql := range map[string]string{
		"vision": `SELECT id::text, verdict_at FROM waste.analyses WHERE verdict_at IS NOT NULL`,
		"llm":    `SELECT id::text, advised_at FROM recycling.advice_jobs WHERE advised_at IS NOT NULL`,
	} {
		rows, err := db.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		var (
			id string
			at time.Time
		)
		_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error {
			finished[id+":"+stage] = at
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	again := 0
	for _, call := range model.Calls() {
		key := strings.TrimSuffix(call.IdempotencyKey, ":repair")
		if at, ok := finished[key]; ok && call.Started.After(at) {
			again++
			t.Errorf("%s was called %s after it was finished", key, call.Started.Sub(at))
		}
	}
	t.Logf("%d finished stages, %d paid for again", len(finished), again)
}

// workers are processes of the services' own binaries.
type workers struct {
	t       *testing.T
	stack   *stack
	mu      sync.Mutex
	running []*worker
	killed  int
	started int
}

type worker struct {
	service string
	cmd     *exec.Cmd
}

func (w *workers) start(service string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.started++
	log, err := os.Create(filepath.Join(w.stack.home, fmt.Sprintf("%s-%d.log", service, w.started)))
	if err != nil {
		w.t.Error(err)
		return
	}
	defer log.Close()                                 //nolint:errcheck // the child has its own handle
	cmd := exec.Command(binary(w.t, service), "work") //nolint:gosec,noctx // killed on purpose
	cmd.Env = append(os.Environ(), w.stack.Environ[service]...)
	cmd.Env = append(cmd.Env, strings.ToUpper(service)+"_HTTP_ADDR=127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		w.t.Errorf("starting a %s worker: %v", service, err)
		return
	}
	w.running = append(w.running, &worker{service, cmd})
}

// killOneAfterAnother replaces the oldest worker until ctx ends, then ends all.
func (w *workers) killOneAfterAnother(ctx context.Context) {
	tick := time.NewTicker(chaosKillEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for len(w.running) > 0 {
				w.kill()
			}
			return
		case <-tick.C:
			service := w.kill()
			w.killed++
			w.start(service)
		}
	}
}

// kill ends the oldest worker as a power cut would, and returns its service.
func (w *workers) kill() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	victim := w.running[0]
	w.running = w.running[1:]
	if err := victim.cmd.Process.Kill(); err != nil {
		w.t.Errorf("killing a %s worker: %v", victim.service, err)
	}
	_ = victim.cmd.Wait() // it was killed
	return victim.service
}
