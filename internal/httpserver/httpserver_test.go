package httpserver_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/telemetry"
)

// bundle is a frame for one test, with what it logged.
type bundle struct {
	*httpserver.Server
	registry *prometheus.Registry
	log      *logLines
}

func setup(t *testing.T, ready map[string]httpserver.Check) *bundle {
	t.Helper()
	b := &bundle{registry: prometheus.NewRegistry(), log: &logLines{}}
	b.Server = httpserver.New(httpserver.Options{
		Service: "demo", Registry: b.registry, OpenAPI: []byte(`{"openapi":"3.1.0"}`), Ready: ready,
		Logger: telemetry.NewLogger(b.log, "demo", slog.LevelDebug),
	})
	return b
}

// route adds POST and GET of a path below /api/v1/demo.
func (b *bundle) route(path string, h func(c *gin.Context) error) {
	b.API.GET(path, httpserver.Handle(h))
	b.API.POST(path, httpserver.Handle(h))
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bundle) do(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	b.Handler().ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func document(t *testing.T, a answer) problem.Document {
	t.Helper()
	if got := a.header.Get("Content-Type"); got != problem.ContentType {
		t.Fatalf("%d: content type %q", a.status, got)
	}
	var doc problem.Document
	if err := json.Unmarshal([]byte(a.body), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Status != a.status {
		t.Errorf("the document says %d, the answer %d", doc.Status, a.status)
	}
	return doc
}

// logLines is what was logged, line by line.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// with returns the records that have this message.
func (l *logLines) with(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.String()) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if record["msg"] == message {
			found = append(found, record)
		}
	}
	return found
}

func TestOpenAPI(t *testing.T) {
	t.Parallel()
	r := setup(t, nil).do(t, http.MethodGet, "/api/v1/demo/openapi.json", "")
	if r.status != http.StatusOK || r.body != `{"openapi":"3.1.0"}` ||
		r.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %+v", r)
	}
}

func TestRoutesListsWhatIsThere(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	b.route("/things", func(*gin.Context) error { return nil })
	paths := map[string]bool{}
	for _, route := range b.Routes() {
		paths[route.Method+" "+route.Path] = true
	}
	for _, want := range []string{
		"GET /healthz", "GET /readyz", "GET /metrics", "GET /api/v1/demo/openapi.json",
		"POST /api/v1/demo/things",
	} {
		if !paths[want] {
			t.Errorf("%s is not in %v", want, paths)
		}
	}
}
