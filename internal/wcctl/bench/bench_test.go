package bench_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/client/clienttest"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

func TestMain(m *testing.M) { os.Exit(testredis.Main(m)) }

const short = 100 * time.Millisecond

type memory struct{ tokens client.Tokens }

func (m memory) Update(
	_ context.Context, change func(client.Tokens) (client.Tokens, error),
) (client.Tokens, error) {
	return change(m.tokens)
}

func setup(t *testing.T) (*clienttest.Server, *client.Client) {
	t.Helper()
	server := clienttest.New()
	t.Cleanup(server.Close)
	c, err := client.New(client.Options{BaseURL: server.URL})
	check(t, err)
	return server, c.WithTokens(login(t, c))
}

func login(t *testing.T, c *client.Client) client.TokenSource {
	t.Helper()
	tokens, err := c.FollowLogin(t.Context(), c.StartLogin("dev", "http://127.0.0.1/login"))
	check(t, err)
	return client.NewSession(c, memory{tokens})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryAnswerIsCounted(t *testing.T) {
	t.Parallel()
	var served, wrong atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer t" || !strings.HasPrefix(r.URL.Path, "/p/jobs/") {
			wrong.Add(1)
		}
		if strings.HasSuffix(r.URL.Path, "b") {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		served.Add(1)
		_, _ = w.Write(bytes.Repeat([]byte("x"), 5000)) // longer than what net/http sends unchunked
	}))
	defer server.Close()
	load := bench.Load{Targets: []string{server.URL + "/p"}, Path: "/jobs/", Token: "t", Clients: 3}
	got, err := load.Run(t.Context(), []string{"a", "b"}, short)
	check(t, err)
	if got.Requests == 0 || int64(got.Requests) != served.Load() || wrong.Load() > 0 {
		t.Errorf("%+v, %d served, %d wrong", got, served.Load(), wrong.Load())
	}
	if got.Errors["429"] == 0 || len(got.Errors) != 1 {
		t.Errorf("errors %v", got.Errors)
	}
	if got.P50 <= 0 || got.P50 > got.P99 || got.P99 > got.Max {
		t.Errorf("%+v", got)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	connections := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		connections[r.RemoteAddr] = true
	}))
	defer server.Close()
	load := bench.Load{Targets: []string{server.URL}, Path: "/", Clients: 4}
	if _, err := load.Run(t.Context(), []string{"a"}, short); err != nil {
		t.Fatal(err)
	}
	if len(connections) != 4 {
		t.Errorf("%d connections of 4 clients", len(connections))
	}
}

func TestAServerThatClosesOrIsGone(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	closing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.Header().Set("Connection", "close")
	}))
	defer closing.Close()
	load := bench.Load{Targets: []string{closing.URL}, Path: "/", Clients: 2}
	got, err := load.Run(t.Context(), []string{"a"}, short)
	check(t, err)
	if int64(got.Requests) != served.Load() || len(got.Errors) > 0 {
		t.Errorf("%+v of %d", got, served.Load())
	}
	load.Targets = []string{"http://127.0.0.1:1"}
	got, err = load.Run(t.Context(), []string{"a"}, short)
	check(t, err)
	if got.Requests != 0 || got.Errors["connection"] < 2 || got.P99 != 0 {
		t.Errorf("%+v", got)
	}
}

func TestALoadEndsWithTheContext(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	ctx, cancel := context.WithTimeout(t.Context(), short)
	defer cancel()
	load := bench.Load{Targets: []string{server.URL}, Path: "/", Clients: 1}
	if _, err := load.Run(ctx, []string{"a"}, time.Hour); err == nil {
		t.Error("it ended by itself")
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, tt := range []struct {
		sorted []time.Duration
		q      float64
		want   time.Duration
	}{
		{hundred, .5, 50},
		{hundred, .99, 99},
		{hundred, 1, 100},
		{hundred, 0, 1},
		{hundred[:1], .99, 1},
		{hundred[:3], .5, 2},
		{nil, .5, 0},
	} {
		if got := bench.Quantile(tt.sorted, tt.q); got != tt.want {
			t.Errorf("q %g of %d values is %d, want %d", tt.q, len(tt.sorted), got, tt.want)
		}
	}
}

func TestJobsThatEndAreReplaced(t *testing.T) {
	t.Parallel()
	server, c := setup(t)
	jobs, err := bench.StartJobs(t.Context(), c, 5)
	check(t, err)
	running, err := jobs.Running(t.Context())
	check(t, err)
	if running != 5 || len(server.Statuses()) != 5 {
		t.Errorf("%d running of %d", running, len(server.Statuses()))
	}
	for _, id := range jobs.IDs()[:2] {
		_, err := c.CancelAnalysis(t.Context(), id)
		check(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- jobs.Keep(ctx) }()
	deadline := time.After(10 * time.Second)
	for jobs.Started() < 7 {
		select {
		case <-deadline:
			t.Fatalf("%d started", jobs.Started())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	check(t, <-ended)
	jobs.Cancel(t.Context())
	if running, err = jobs.Running(t.Context()); err != nil || running != 0 {
		t.Errorf("%d run on, %v", running, err)
	}
}

func TestPickupLeavesNothingRunning(t *testing.T) {
	t.Parallel()
	server, c := setup(t)
	// The server moves a job on only for a poller that knows its state: play the other one here.
	server.Fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/analyses/") &&
			r.Header.Get("If-None-Match") == "" {
			server.Advance(strings.TrimPrefix(r.URL.Path, "/api/v1/waste/analyses/"))
		}
		return false
	}
	took, err := bench.Pickup(t.Context(), c, 3)
	check(t, err)
	if len(took) != 3 || took[0] < 0 {
		t.Errorf("%v", took)
	}
	for id, status := range server.Statuses() {
		if !status.Final() {
			t.Errorf("job %s is %s", id, status)
		}
	}
}

func redisConfig(tb testing.TB) redisdb.Config {
	tb.Helper()
	r := testredis.New(tb)
	return redisdb.Config{Addr: r.Addr(), FirstDB: r.FirstDB()}
}

func redisOf(t *testing.T) (redisdb.Config, *progress.Store) {
	t.Helper()
	cfg := redisConfig(t)
	jobs := cfg.Open(redisdb.Jobs)
	t.Cleanup(func() { _ = jobs.Close() })
	return cfg, progress.NewStore(jobs)
}

func TestTheBareHandlerDoesTheSameRead(t *testing.T) {
	t.Parallel()
	cfg, store := redisOf(t)
	id := uuid.Must(uuid.NewV7())
	check(t, store.Put(t.Context(), id, progress.Snapshot{Version: 1, Body: []byte(`{"a":1}`)}))
	address, stop, err := bench.ServeBare(t.Context(), cfg)
	check(t, err)
	for path, want := range map[string]string{
		bench.BarePath + id.String():                      `200 {"a":1}`,
		bench.BarePath + uuid.Must(uuid.NewV7()).String(): "404 unknown\n",
		bench.BarePath + "x":                              "404 no id\n",
		"/":                                               "404 no id\n",
	} {
		res, err := http.Get(address + path)
		check(t, err)
		body, err := io.ReadAll(res.Body)
		check(t, err)
		check(t, res.Body.Close())
		if got := strconv.Itoa(res.StatusCode) + " " + string(body); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
	check(t, stop())
}

func TestNoRedisNoBareHandler(t *testing.T) {
	t.Parallel()
	if _, _, err := bench.ServeBare(t.Context(), redisdb.Config{Addr: "127.0.0.1:1"}); err == nil {
		t.Error("it serves without Redis")
	}
}

// BenchmarkBare is what the load generator and the bare handler can do together on this machine.
func BenchmarkBare(b *testing.B) {
	cfg := redisConfig(b)
	jobs := cfg.Open(redisdb.Jobs)
	defer func() { _ = jobs.Close() }()
	var ids []string
	for range 100 {
		id := uuid.Must(uuid.NewV7())
		snap := progress.Snapshot{Version: 1, Body: bytes.Repeat([]byte("x"), 600)}
		if err := progress.NewStore(jobs).Put(b.Context(), id, snap); err != nil {
			b.Fatal(err)
		}
		ids = append(ids, id.String())
	}
	address, stop, err := bench.ServeBare(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = stop() }()
	load := bench.Load{Targets: []string{address}, Path: bench.BarePath, Clients: 50}
	for b.Loop() {
		got, err := load.Run(b.Context(), ids, time.Second)
		if err != nil || len(got.Errors) > 0 {
			b.Fatal(got.Errors, err)
		}
		b.ReportMetric(got.Rate, "polls/s")
		b.ReportMetric(float64(got.P99.Microseconds())/1000, "p99-ms")
	}
}
