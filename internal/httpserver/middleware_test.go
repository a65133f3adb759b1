package httpserver_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	notFound := problem.New(problem.NotFound, "thing_not_found", "There is no such thing.")
	away := &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	tests := map[string]struct {
		err                     error
		status                  int
		code                    string
		retryable               bool
		retryAfter, authenticat string
		level                   string
	}{
		"known":   {notFound.Because(errors.New("secret")), 404, "thing_not_found", false, "", "", "INFO"},
		"wrapped": {fmt.Errorf("reading: %w", notFound), 404, "thing_not_found", false, "", "", "INFO"},
		"unknown": {errors.New("secret"), 500, "internal", false, "", "", "ERROR"},
		"outage":  {fmt.Errorf("secret: %w", away), 503, "unavailable", true, "1", "", "ERROR"},
		"text with NUL": {
			fmt.Errorf("secret: %w", &pgconn.PgError{Code: "22021"}), 422, "not_text", false, "", "", "INFO",
		},
		"rate limit": {
			problem.New(problem.RateLimited, "slow_down", "Wait.").After(2300 * time.Millisecond),
			429, "slow_down", true, "3", "", "INFO",
		},
		"no token": {
			problem.New(problem.Unauthorized, "unauthorized", "No."), 401, "unauthorized", false, "",
			`Bearer realm="wastecoach"`, "INFO",
		},
		"conflict that a retry mends": {
			problem.New(problem.Conflict, "busy", "Busy.").After(time.Second), 409, "busy", true, "", "", "INFO",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.route("/things/:id", func(*gin.Context) error { return tt.err })
			r := b.do(t, http.MethodGet, "/api/v1/demo/things/7", "")
			doc := document(t, r)
			if r.status != tt.status || doc.Code != tt.code || doc.Retryable != tt.retryable {
				t.Errorf("got %+v", doc)
			}
			if doc.Type != "urn:wastecoach:problem:"+tt.code || doc.Title != http.StatusText(tt.status) ||
				doc.Instance != "/api/v1/demo/things/7" || doc.RequestID != r.header.Get("X-Request-Id") {
				t.Errorf("got %+v", doc)
			}
			if strings.Contains(fmt.Sprintf("%+v", doc), "secret") {
				t.Errorf("the client learns the cause: %+v", doc)
			}
			if got := r.header.Get("Retry-After"); got != tt.retryAfter {
				t.Errorf("Retry-After %q, want %q", got, tt.retryAfter)
			}
			if got := r.header.Get("Www-Authenticate"); got != tt.authenticat {
				t.Errorf("WWW-Authenticate %q, want %q", got, tt.authenticat)
			}
			if got := r.header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
			refused := b.log.with(t, "request refused")
			if len(refused) != 1 || refused[0]["level"] != tt.level || refused[0]["error"] != tt.err.Error() {
				t.Errorf("logged %v", refused)
			}
		})
	}
}

func TestProblemAfterTheAnswerBegan(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.route("/things", func(c *gin.Context) error {
		c.String(http.StatusOK, "half")
		return errors.New("the rest is lost")
	})
	if got := b.do(t, http.MethodGet, "/api/v1/demo/things", "").body; got != "half" {
		t.Errorf("answered %q", got)
	}
	if !strings.Contains(b.log.String(), "the rest is lost") {
		t.Error("the error is not logged")
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.route("/things", func(*gin.Context) error { panic("secret") })
	r := b.do(t, http.MethodGet, "/api/v1/demo/things", "")
	if doc := document(t, r); doc.Status != 500 || doc.Code != "internal" ||
		strings.Contains(fmt.Sprint(doc), "secret") {
		t.Errorf("got %+v", doc)
	}
	logged := b.log.with(t, "panic")
	if len(logged) != 1 || logged[0]["level"] != "ERROR" || logged[0]["value"] != "secret" ||
		!strings.Contains(fmt.Sprint(logged[0]["stack"]), "middleware_test.go") ||
		logged[0]["request_id"] != r.header.Get("X-Request-Id") {
		t.Errorf("logged %v", logged)
	}
	if n := requests(t, b, "GET", "/api/v1/demo/things", "500"); n != 1 {
		t.Errorf("counted %v requests", n)
	}
}

func TestPanicInAMiddlewareStopsTheRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	var reached bool
	b.API.GET("/guarded", func(*gin.Context) { panic("guard") }, func(*gin.Context) { reached = true })
	if r := b.do(t, http.MethodGet, "/api/v1/demo/guarded", ""); r.status != 500 || reached {
		t.Errorf("got %+v, the handler ran: %t", r, reached)
	}
}

func TestRequestID(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		sent string
		kept bool
	}{
		"none":          {"", false},
		"shortest":      {"a2345678", true},
		"too short":     {"a234567", false},
		"longest":       {strings.Repeat("a", 64), true},
		"too long":      {strings.Repeat("a", 65), false},
		"every kind":    {"aZ0._-12", true},
		"space":         {"12345678 9", false},
		"line break":    {"12345678\n", false},
		"closing quote": {`12345678"}`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			var seen string
			b.route("/things", func(c *gin.Context) error {
				seen = httpserver.RequestID(c)
				return nil
			})
			r := b.do(t, http.MethodGet, "/api/v1/demo/things", "", "X-Request-Id", tt.sent)
			got := r.header.Get("X-Request-Id")
			if seen != got {
				t.Errorf("the handler sees %q, the client %q", seen, got)
			}
			if tt.kept {
				if got != tt.sent {
					t.Errorf("replaced by %q", got)
				}
			} else if id, err := uuid.FromString(got); err != nil || id.Version() != uuid.V7 {
				t.Errorf("got %q, %v", got, err)
			}
			if line := b.log.with(t, "request"); len(line) != 1 || line[0]["request_id"] != got {
				t.Errorf("logged %v", line)
			}
		})
	}
}

func TestRequestLine(t *testing.T) {
	t.Parallel()
	b := setup(t, map[string]httpserver.Check{})
	b.route("/things/:id", func(c *gin.Context) error {
		c.Status(http.StatusNoContent)
		return nil
	})
	b.API.GET("/quiet/:status", httpserver.Quiet, func(c *gin.Context) {
		if c.Param("status") == "bad" {
			c.Status(http.StatusBadRequest)
		}
	})
	tests := []struct {
		method, path, route string
		status              float64
		level               string
	}{
		{"POST", "/api/v1/demo/things/7", "/api/v1/demo/things/:id", 204, "INFO"},
		{"GET", "/api/v1/demo/quiet/good", "/api/v1/demo/quiet/:status", 200, "DEBUG"},
		{"GET", "/api/v1/demo/quiet/bad", "/api/v1/demo/quiet/:status", 400, "INFO"},
		{"GET", "/healthz", "/healthz", 200, "DEBUG"},
		{"GET", "/readyz", "/readyz", 200, "DEBUG"},
		{"GET", "/metrics", "/metrics", 200, "DEBUG"},
		{"GET", "/nowhere", "", 404, "INFO"},
	}
	for i, tt := range tests {
		b.do(t, tt.method, tt.path, "")
		lines := b.log.with(t, "request")
		if len(lines) != i+1 {
			t.Fatalf("%s: %d lines after %d requests", tt.path, len(lines), i+1)
		}
		line := lines[i]
		if line["method"] != tt.method || line["route"] != tt.route || line["status"] != tt.status ||
			line["level"] != tt.level || line["service"] != "demo" {
			t.Errorf("%s: logged %v", tt.path, line)
		}
		if took, ok := line["duration"].(float64); !ok || took <= 0 {
			t.Errorf("%s: duration %v", tt.path, line["duration"])
		}
	}
}

func TestUnknownRouteAndMethod(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path string
		status       int
		code         string
	}{
		"route":          {"GET", "/api/v1/demo/nowhere", 404, "route_not_found"},
		"other service":  {"GET", "/api/v1/other/things", 404, "route_not_found"},
		"trailing slash": {"GET", "/api/v1/demo/things/", 404, "route_not_found"},
		"method":         {"DELETE", "/api/v1/demo/things", 405, "method_not_allowed"},
		"made up":        {"BREW", "/api/v1/demo/things", 405, "method_not_allowed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			b.route("/things", func(*gin.Context) error { return nil })
			r := b.do(t, tt.method, tt.path, "")
			if doc := document(t, r); doc.Status != tt.status || doc.Code != tt.code {
				t.Errorf("got %+v", doc)
			}
			allow := r.header.Get("Allow")
			if (tt.status == 405) != (strings.Contains(allow, "GET") && strings.Contains(allow, "POST")) {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.route("/things", func(c *gin.Context) error {
		_, err := io.Copy(io.Discard, c.Request.Body)
		if err != nil {
			return problem.New(problem.TooLarge, "read_stopped", "Too large.").Because(err)
		}
		return nil
	})
	for size, want := range map[int]int{64 << 10: 200, 64<<10 + 1: 413} {
		r := b.do(t, http.MethodPost, "/api/v1/demo/things", strings.Repeat("x", size))
		if r.status != want {
			t.Errorf("%d bytes: %d", size, r.status)
		}
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.route("/things/:id", func(*gin.Context) error { return nil })
	for _, call := range [][2]string{
		{"GET", "/api/v1/demo/things/1"},
		{"GET", "/api/v1/demo/things/2"},
		{"GET", "/nowhere/1"},
		{"GET", "/nowhere/2"},
		{"BREW", "/nowhere"},
		{"MELT", "/healthz"},
	} {
		b.do(t, call[0], call[1], "")
	}
	for _, tt := range []struct {
		method, route, status string
		want                  float64
	}{
		{"GET", "/api/v1/demo/things/:id", "200", 2},
		{"GET", "none", "404", 2},
		{"other", "none", "404", 1},
		{"other", "none", "405", 1},
	} {
		if got := requests(t, b, tt.method, tt.route, tt.status); got != tt.want {
			t.Errorf("%s %s %s: counted %v, want %v", tt.method, tt.route, tt.status, got, tt.want)
		}
	}
	exposed := b.do(t, http.MethodGet, "/metrics", "").body
	for _, want := range []string{
		`demo_http_requests_total{method="GET",route="/api/v1/demo/things/:id",status="200"} 2`,
		`demo_http_request_seconds_count{method="GET",route="/api/v1/demo/things/:id"} 2`,
	} {
		if !strings.Contains(exposed, want) {
			t.Errorf("%s is not in\n%s", want, exposed)
		}
	}
	for _, never := range []string{"nowhere", "BREW", "MELT", "things/1"} {
		if strings.Contains(exposed, never) {
			t.Errorf("a client made the label %q", never)
		}
	}
}

// requests reads demo_http_requests_total.
func requests(t *testing.T, b *bundle, method, route, status string) float64 {
	t.Helper()
	return counter(t, b.registry, "demo_http_requests_total",
		map[string]string{"method": method, "route": route, "status": status})
}

func counter(t *testing.T, from prometheus.Gatherer, name string, labels map[string]string) float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
	series:
		for _, m := range family.GetMetric() {
			for _, l := range m.GetLabel() {
				if labels[l.GetName()] != l.GetValue() {
					continue series
				}
			}
			return m.GetCounter().GetValue()
		}
	}
	return 0
}
