package dev

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/s3server"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/testmain"
)

const (
	// asGateway and asStack make this test binary the S3 gateway, or a stack on a folder.
	asGateway = "DEV_TEST_GATEWAY"
	asStack   = "DEV_TEST_STACK"
	wait      = 90 * time.Second
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(asGateway) != "":
		os.Exit(untilSignal(func(ctx context.Context) error { return s3server.Serve(ctx, os.Stdin) }))
	case os.Getenv(asStack) != "":
		os.Exit(untilSignal(func(ctx context.Context) error {
			return Run(ctx, config(Folder(os.Getenv(asStack)), fakePools()))
		}))
	default:
		os.Exit(testmain.Main(m))
	}
}

func untilSignal(run func(context.Context) error) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func config(data Folder, pools []Pool) Config {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	return Config{
		Data: data, Pools: pools, Replicas: DefaultReplicas(pools), Grace: 2 * time.Second,
		Gateway: []string{program}, GatewayEnv: []string{asGateway + "=1"}, Show: os.Stderr,
	}
}

// fakePools are services without work, for tests of what runs them.
func fakePools() []Pool {
	return []Pool{
		{Name: "waste", Service: "waste", Count: 2, Run: configured(loadFake, serveFake)},
		{
			Name: "waste-worker", Service: "waste", Worker: true, Count: 1,
			Run: configured(loadFake, serveFake),
		},
	}
}

type fakeConfig struct {
	HTTP httpserver.Config `envPrefix:"HTTP_"`
}

func loadFake(environ []string) (fakeConfig, error) {
	var cfg fakeConfig
	err := env.Load(&cfg, "WASTE_", environ)
	return cfg, err
}

func serveFake(ctx context.Context, cfg fakeConfig, logger *slog.Logger) error {
	ctx, fail := context.WithCancelCause(ctx)
	server := httpserver.New(httpserver.Options{
		Service: "waste", Logger: logger, Registry: telemetry.NewRegistry(),
	})
	server.API.GET("/who", func(c *gin.Context) { c.String(http.StatusOK, cfg.HTTP.Addr) })
	server.API.POST("/fall", func(c *gin.Context) { fail(http.ErrAbortHandler); c.Status(http.StatusOK) })
	err := server.Run(ctx, cfg.HTTP)
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

func newFolder(t *testing.T) Folder {
	t.Helper()
	dir, err := testmain.Dir("dev")
	if err != nil {
		t.Fatal(err)
	}
	return Folder(dir + "/data")
}

// running is a stack in this process.
type running struct {
	Info
	stop   context.CancelFunc
	ended  chan error
	events []Event
}

func start(t *testing.T, cfg Config) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{stop: cancel, ended: make(chan error, 1)}
	ready := make(chan Info, 1)
	cfg.OnReady = func(info Info) { ready <- info }
	cfg.OnEvent = func(e Event) { r.events = append(r.events, e) }
	go func() { r.ended <- Run(ctx, cfg) }()
	select {
	case r.Info = <-ready:
	case err := <-r.ended:
		t.Fatalf("starting: %v", err)
	case <-time.After(wait):
		t.Fatal("the stack does not start")
	}
	t.Cleanup(func() { r.end(t) })
	return r
}

// end stops the stack and checks that nothing is left of it. It may be called twice.
func (r *running) end(t *testing.T) {
	t.Helper()
	if r.stop == nil {
		return
	}
	now, err := Find(r.Data)
	if err != nil {
		t.Error(err)
	}
	r.stop()
	r.stop = nil
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("stopping: %v", err)
		}
	case <-time.After(wait):
		t.Fatal("the stack does not stop")
	}
	expectGone(t, slices.Collect(maps.Values(now.Children)))
}

func expectGone(t *testing.T, pids []int) {
	t.Helper()
	if len(pids) != 3 {
		t.Fatalf("children %v, want 3", pids)
	}
	eventually(t, "the children are gone", func() bool {
		return !slices.ContainsFunc(pids, func(pid int) bool { return syscall.Kill(pid, 0) == nil })
	})
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	for !is() {
		if !sleep(ctx, 10*time.Millisecond) {
			t.Fatalf("never: %s", what)
		}
	}
}

// parts are the titles of the events, without the replicas' counts.
func (r *running) parts(stopped bool) []string {
	var titles []string
	for _, e := range r.events {
		if e.Stopped == stopped {
			title, _, _ := strings.Cut(e.Part, " ×")
			titles = append(titles, title)
		}
	}
	return titles
}
