package httpserver_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/wastecoach/wastecoach/internal/httpserver"
)

const patience = 10 * time.Second

func TestHealthz(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]httpserver.Check{
		"PostgreSQL": func(context.Context) error { return errors.New("away") },
	})
	if r := b.do(t, http.MethodGet, "/healthz", ""); r.status != http.StatusOK || r.body != "ok\n" {
		t.Errorf("a process is alive without its database, got %+v", r)
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	fine := func(context.Context) error { return nil }
	bounded := func(ctx context.Context) error {
		if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) > 2*time.Second {
			return errors.New("no deadline")
		}
		return nil
	}
	tests := map[string]struct {
		checks map[string]httpserver.Check
		status int
		detail string
	}{
		"no checks": {nil, 200, ""},
		"all fine":  {map[string]httpserver.Check{"PostgreSQL": fine, "Redis": bounded}, 200, ""},
		"one fails": {
			map[string]httpserver.Check{
				"PostgreSQL": fine,
				"Redis":      func(context.Context) error { return errors.New("refused at 10.0.0.7") },
			},
			503, "Redis cannot be reached.",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := setup(t, tt.checks).do(t, http.MethodGet, "/readyz", "")
			if r.status != tt.status {
				t.Fatalf("got %+v", r)
			}
			if tt.status == http.StatusOK {
				return
			}
			if doc := document(t, r); doc.Code != "not_ready" || doc.Detail != tt.detail {
				t.Errorf("got %+v", doc)
			}
		})
	}
}

// running is a bundle that serves on loopback until stop.
type running struct {
	*bundle
	base string
	stop context.CancelFunc
	// ended carries what Serve returns.
	ended chan error
}

func serve(t *testing.T, b *bundle, cfg httpserver.Config) *running {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	r := &running{
		bundle: b, base: "http://" + listener.Addr().String(), stop: stop, ended: make(chan error, 1),
	}
	go func() { r.ended <- b.Serve(ctx, listener, cfg) }()
	return r
}

// get uses a connection of its own, as a new client would.
func (r *running) get(t *testing.T, path string) (int, string, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.base+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
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

func TestServeDrains(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	entered, release := make(chan struct{}), make(chan struct{})
	b.route("/slow", func(c *gin.Context) error {
		close(entered)
		<-release
		c.String(http.StatusOK, "whole")
		return nil
	})
	r := serve(t, b, httpserver.Config{DrainTimeout: patience})
	type result struct {
		body string
		err  error
	}
	slow := make(chan result, 1)
	go func() {
		_, body, err := r.get(t, "/api/v1/demo/slow")
		slow <- result{body, err}
	}()
	wait(t, "the request", entered)
	r.stop()
	r.stop()
	wait(t, "the drain", b.Draining())
	for deadline := time.Now().Add(patience); ; {
		if _, _, err := r.get(t, "/healthz"); err != nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a draining server takes new connections")
		}
	}
	select {
	case err := <-r.ended:
		t.Fatalf("Serve ended with a request under way: %v", err)
	default:
	}
	close(release)
	if got := wait(t, "the answer", slow); got.body != "whole" || got.err != nil {
		t.Errorf("the request under way got %q, %v", got.body, got.err)
	}
	if err := wait(t, "the end of Serve", r.ended); err != nil {
		t.Error(err)
	}
}

func TestDrainDelayAnswersNotReady(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	r := serve(t, b, httpserver.Config{DrainDelay: time.Second, DrainTimeout: patience})
	if status, body, err := r.get(t, "/readyz"); status != http.StatusOK {
		t.Fatalf("before the stop: %d %s, %v", status, body, err)
	}
	r.stop()
	wait(t, "the drain", b.Draining())
	if status, body, err := r.get(t, "/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz while draining: %d %s, %v", status, body, err)
	}
	if status, _, err := r.get(t, "/healthz"); status != http.StatusOK {
		t.Errorf("healthz while draining: %d, %v", status, err)
	}
	if err := wait(t, "the end of Serve", r.ended); err != nil {
		t.Error(err)
	}
}

func TestDrainTimeoutCutsWhatHangs(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	entered := make(chan struct{})
	b.route("/hangs", func(c *gin.Context) error {
		close(entered)
		<-c.Request.Context().Done()
		return nil
	})
	r := serve(t, b, httpserver.Config{DrainTimeout: 20 * time.Millisecond})
	cut := make(chan error, 1)
	go func() {
		_, _, err := r.get(t, "/api/v1/demo/hangs")
		cut <- err
	}()
	wait(t, "the request", entered)
	r.stop()
	if err := wait(t, "the end of Serve", r.ended); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Serve returned %v", err)
	}
	if err := wait(t, "the cut", cut); err == nil {
		t.Error("the hanging request got an answer")
	}
}

func TestServeTwice(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	cfg := httpserver.Config{DrainTimeout: patience}
	first, second := serve(t, b, cfg), serve(t, b, cfg)
	for _, r := range []*running{first, second} {
		if status, _, err := r.get(t, "/healthz"); status != http.StatusOK {
			t.Fatalf("%d, %v", status, err)
		}
		r.stop()
		if err := wait(t, "the end of Serve", r.ended); err != nil {
			t.Error(err)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, addr := range map[string]string{
		"address taken": taken.Addr().String(), "no address": "nonsense",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := setup(t, nil).Run(t.Context(), httpserver.Config{Addr: addr}); err == nil {
				t.Error("it runs")
			}
		})
	}
	t.Run("stopped before it starts", func(t *testing.T) {
		t.Parallel()
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if err := setup(t, nil).Serve(ended, listener, httpserver.Config{}); err != nil {
			t.Error(err)
		}
		if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
			t.Error("the listener is still open")
		}
	})
}
