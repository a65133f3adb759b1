package s3server_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/childproc"
	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/s3server"
)

// gatewayEnv makes this binary the gateway. What the gateway enforces is tested in tests3.
const gatewayEnv = "WASTECOACH_TEST_GATEWAY"

func TestMain(m *testing.M) {
	if os.Getenv(gatewayEnv) != "" {
		os.Exit(serve())
	}
	os.Exit(m.Run())
}

func serve() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := s3server.Serve(ctx, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func config(t *testing.T) s3server.Config {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return s3server.Config{
		Dir: t.TempDir(), AccessKey: "ACCESS", SecretKey: "super-secret", Buckets: []string{"photos", "backups"},
		Command: []string{program}, Env: []string{gatewayEnv + "=1"},
	}
}

func TestStartStop(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	srv, err := s3server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	endpoint := srv.Endpoint()
	if err := srv.Restart(t.Context()); err != nil || srv.Endpoint() != endpoint {
		t.Fatalf("restart: %v, %s became %s", err, endpoint, srv.Endpoint())
	}
	began := time.Now()
	if err := errors.Join(srv.Stop(t.Context()), srv.Stop(t.Context()), srv.Err()); err != nil {
		t.Fatal(err)
	}
	<-srv.Done()
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("stopping took %v", took)
	}
	// The buckets exist by now.
	srv, err = s3server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Kill(); err != nil {
		t.Fatal(err)
	}
}

// TestABucketIsAFolder is what charts/data builds on: kubelet makes the folder, nobody calls the API.
func TestABucketIsAFolder(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Buckets = nil
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "objects", "photos"), 0o755); err != nil {
		t.Fatal(err)
	}
	srv, err := s3server.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Kill() })
	store := objectstore.New(objectstore.Config{
		Endpoint: srv.Endpoint(), Region: srv.Region(), Bucket: "photos",
		AccessKey: cfg.AccessKey, SecretKey: env.Secret(cfg.SecretKey),
	})
	if err := store.PutStream(t.Context(), "a/b", "text/plain", strings.NewReader("hello")); err != nil {
		t.Fatal(err)
	}
	if n, err := store.DeletePrefix(t.Context(), "a/"); err != nil || n != 1 {
		t.Errorf("%d objects deleted, %v", n, err)
	}
}

func TestStartFailsClearly(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for name, tc := range map[string]struct {
		change func(c *s3server.Config)
		want   string
	}{
		"port taken": {
			func(c *s3server.Config) { c.Port = l.Addr().(*net.TCPAddr).Port }, childproc.ErrPortTaken.Error(),
		},
		"no program": {func(c *s3server.Config) { c.Command = []string{"/missing"} }, "/missing"},
		"ends at once": {
			func(c *s3server.Config) { c.Command = []string{"/bin/sh", "-c", "echo sorry; exit 3"} }, "sorry",
		},
		"no secret":    {func(c *s3server.Config) { c.SecretKey = "" }, "secret key"},
		"bad bucket":   {func(c *s3server.Config) { c.Buckets = []string{"Not_A_Bucket"} }, "Not_A_Bucket"},
		"file for dir": {func(c *s3server.Config) { c.Dir = "/dev/null" }, "/dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config(t)
			tc.change(&cfg)
			srv, err := s3server.Start(t.Context(), cfg)
			if err == nil {
				_ = srv.Kill()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "super-secret") {
				t.Errorf("no %q, or the secret, in: %v", tc.want, err)
			}
		})
	}
}
