package redisserver_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/childproc"
	"github.com/wastecoach/wastecoach/internal/redisserver"
)

func start(t *testing.T, cfg redisserver.Config) *redisserver.Server {
	t.Helper()
	srv, err := redisserver.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func client(t *testing.T, srv *redisserver.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(srv.Options(1))
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestDataSurvives(t *testing.T) {
	t.Parallel()
	cfg := redisserver.Config{Dir: t.TempDir() + "/with space", Password: `a "b" \c`}
	srv := start(t, cfg)
	addr := srv.Addr()
	if !srv.Durable() {
		t.Error("it says that data will be lost")
	}
	if err := client(t, srv).Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{
		"restart":       func() error { return srv.Restart(t.Context()) },
		"kill, restart": func() error { return errors.Join(srv.Kill(), srv.Restart(t.Context())) },
	} {
		if err := do(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, err := client(t, srv).Get(t.Context(), "k").Result(); got != "v" || err != nil || srv.Addr() != addr {
			t.Fatalf("after %s: %q, %v, at %s", name, got, err, srv.Addr())
		}
	}
	if err := srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := start(t, cfg)
	if got, err := client(t, second).Get(t.Context(), "k").Result(); got != "v" || err != nil {
		t.Fatalf("after a new start: %q, %v", got, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	srv := start(t, redisserver.Config{Dir: t.TempDir(), Databases: 40})
	for name, want := range map[string]string{
		"maxmemory-policy": "noeviction", "appendonly": "yes", "databases": "40", "bind": "127.0.0.1",
	} {
		got, err := client(t, srv).ConfigGet(t.Context(), name).Result()
		if err != nil || got[name] != want {
			t.Errorf("%s is %q, want %q (%v)", name, got[name], want, err)
		}
	}
}

func TestPasswordIsAsked(t *testing.T) {
	t.Parallel()
	srv := start(t, redisserver.Config{Dir: t.TempDir(), Password: "secret"})
	stranger := redis.NewClient(&redis.Options{Addr: srv.Addr()})
	defer stranger.Close()
	if err := stranger.Ping(t.Context()).Err(); err == nil {
		t.Error("let in without a password")
	}
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", srv.PID()))
	if err != nil || bytes.Contains(cmdline, []byte("secret")) {
		t.Errorf("process list shows %q, %v", cmdline, err)
	}
}

func TestEndIsTold(t *testing.T) {
	t.Parallel()
	srv := start(t, redisserver.Config{Dir: t.TempDir()})
	process, err := os.FindProcess(srv.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-srv.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("Done is not closed")
	}
	if err := srv.Err(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	_, err = redisserver.Start(t.Context(), redisserver.Config{
		Dir: t.TempDir(), Port: l.Addr().(*net.TCPAddr).Port,
	})
	if !errors.Is(err, childproc.ErrPortTaken) {
		t.Errorf("got %v", err)
	}
}

// It changes PATH, so it cannot run beside the others.
func TestWithoutRedisServer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	cfg := redisserver.Config{Password: "secret"}
	if _, err := redisserver.Start(t.Context(), cfg); !errors.Is(err, redisserver.ErrNotFound) {
		t.Fatalf("got %v", err)
	}
	var said bytes.Buffer
	cfg.AllowStandIn, cfg.Logger = true, slog.New(slog.NewTextHandler(&said, nil))
	srv := start(t, cfg)
	if srv.Durable() || !strings.Contains(said.String(), "will not survive") {
		t.Errorf("it is not said aloud: %q", said.String())
	}
	c, addr := client(t, srv), srv.Addr()
	if err := c.Set(t.Context(), "short", "v", 150*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	late := time.After(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for c.Exists(t.Context(), "short").Val() != 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("keys do not expire")
		}
	}
	if err := errors.Join(c.Set(t.Context(), "k", "v", 0).Err(), srv.Restart(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := client(t, srv).Get(t.Context(), "k").Err(); !errors.Is(err, redis.Nil) || srv.Addr() != addr {
		t.Errorf("after a restart at %s: %v", srv.Addr(), err)
	}
	if err := errors.Join(srv.Stop(t.Context()), srv.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	<-srv.Done()
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		srv, err := redisserver.Start(b.Context(), redisserver.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		if err := srv.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
