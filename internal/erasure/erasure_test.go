package erasure_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
)

// holder remembers what it was asked.
type holder struct {
	mu    sync.Mutex
	asked []erasure.Request
	fault error
}

func (h *holder) Erase(_ context.Context, r erasure.Request) (erasure.Report, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r)
	jobs := int64(len(r.Jobs))
	return erasure.Report{Counts: erasure.Counts{"jobs": jobs}, Jobs: r.Jobs}, h.fault
}

func (h *holder) Left(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	report, err := h.Erase(ctx, r)
	report.Counts["left"] = 1
	return report, err
}

const secret = "a-token-of-the-test"

func serve(t *testing.T, h erasure.Holder, token env.Secret) string {
	t.Helper()
	server := httpserver.New(httpserver.Options{
		Service: "test", Logger: slog.New(slog.DiscardHandler), Registry: prometheus.NewRegistry(),
	})
	g := erasure.Mount(server.Internal(), token, h)
	g.GET("/data", func(c *gin.Context) { c.String(http.StatusOK, "data of "+c.Param("id")) })
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(listener.Close)
	return listener.URL
}

func TestClientAndRoutes(t *testing.T) {
	t.Parallel()
	h := &holder{}
	client := erasure.NewClient(erasure.Peer{URL: serve(t, h, secret) + "/", Token: secret})
	user := uuid.Must(uuid.NewV7())
	jobs := make([]uuid.UUID, 250)
	for i := range jobs {
		jobs[i] = uuid.Must(uuid.NewV7())
	}
	report, err := client.Erase(t.Context(), erasure.Request{UserID: user, Jobs: jobs, Last: true})
	if err != nil {
		t.Fatal(err)
	}
	if report.Counts["jobs"] != 250 || !slices.Equal(report.Jobs, jobs) {
		t.Errorf("report of %d jobs with %v", len(report.Jobs), report.Counts)
	}
	for _, r := range h.asked {
		if r.UserID != user || !r.Last || len(r.Jobs) > 100 {
			t.Errorf("asked %+v", r)
		}
	}
	h.asked = nil
	report, err = client.Left(t.Context(), erasure.Request{UserID: user})
	if err != nil || report.Counts.Total() != 1 {
		t.Errorf("left %+v, %v", report, err)
	}
	if want := []erasure.Request{{UserID: user}}; !reflect.DeepEqual(h.asked, want) {
		t.Errorf("asked %+v, want %+v", h.asked, want)
	}
	body, err := client.Open(t.Context(), user, "/data")
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if text, err := io.ReadAll(body); err != nil || string(text) != "data of "+user.String() {
		t.Errorf("%q, %v", text, err)
	}
	h.fault = errors.New("down")
	var refused *erasure.StatusError
	if _, err = client.Erase(t.Context(), erasure.Request{UserID: user}); !errors.As(err, &refused) ||
		refused.Status != http.StatusInternalServerError {
		t.Errorf("a fault became %v", err)
	}
}

func TestOnlyTheTokenOpensTheRoutes(t *testing.T) {
	t.Parallel()
	h := &holder{}
	closed, open := serve(t, h, ""), serve(t, h, secret)
	user := "/internal/users/" + uuid.Must(uuid.NewV7()).String()
	for name, tt := range map[string]struct {
		target, authorization string
		status                int
	}{
		"right":                 {open + user, "Bearer " + secret, 200},
		"none":                  {open + user, "", 401},
		"other":                 {open + user, "Bearer another", 401},
		"longer":                {open + user, "Bearer " + secret + "x", 401},
		"bare":                  {open + user, secret, 401},
		"a further route":       {open + user + "/data", "Bearer another", 401},
		"not configured":        {closed + user, "Bearer ", 401},
		"not configured, empty": {closed + user, "", 401},
		"no user":               {open + "/internal/users/me", "Bearer " + secret, 400},
		"odd jobs":              {open + user + "?jobs=1,2", "Bearer " + secret, 400},
	} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			if tt.target == open+user+"/data" && method == http.MethodDelete {
				continue
			}
			req, err := http.NewRequestWithContext(t.Context(), method, tt.target, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", tt.authorization)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			if resp.StatusCode != tt.status {
				t.Errorf("%s, %s: status %d, want %d", name, method, resp.StatusCode, tt.status)
			}
		}
	}
	if len(h.asked) != 2 {
		t.Errorf("the holder was asked %d times, want 2", len(h.asked))
	}
}
