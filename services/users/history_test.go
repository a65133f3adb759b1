package users

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// wasteStandIn answers like the waste service's list, at the wire.
type wasteStandIn struct {
	url string

	mu     sync.Mutex
	handle http.HandlerFunc
	asked  []*http.Request
}

// newWasteStandIn hands the internal routes on.
func newWasteStandIn(t *testing.T, internal http.Handler) *wasteStandIn {
	t.Helper()
	s := &wasteStandIn{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/internal/") {
			internal.ServeHTTP(w, r)
			return
		}
		s.mu.Lock()
		s.asked = append(s.asked, r.Clone(t.Context()))
		handle := s.handle
		s.mu.Unlock()
		handle(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *wasteStandIn) answer(handle http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handle, s.asked = handle, nil
}

// only returns the one request that was asked.
func (s *wasteStandIn) only(t *testing.T) *http.Request {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) != 1 {
		t.Fatalf("the waste service was asked %d times", len(s.asked))
	}
	return s.asked[0]
}

func says(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func isSlow(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func breaksOff(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// listed is a job as the waste service lists it.
func listed(t *testing.T, change func(result map[string]any, j *job.Job)) (job.Job, string) {
	t.Helper()
	created := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	finished := created.Add(3 * time.Second)
	id := uuid.Must(uuid.NewV7())
	j := job.Job{
		ID: id, Status: job.Succeeded, Progress: 100, Stage: job.StageDone, CreatedAt: created,
		UpdatedAt: finished, FinishedAt: &finished, ExpiresAt: finished.Add(time.Hour),
		Links: job.Links{Self: "/api/v1/waste/analyses/" + id.String()},
	}
	result := map[string]any{
		"vision": map[string]any{
			"class": "glass", "label": "beer_bottle", "confidence": 0.93, "name_ko": "맥주병",
			"name_en": "beer bottle", "model": "simulator", "parts": []any{},
		},
		"advice": pipeline.Advice{
			ItemID: "glass_bottle", ItemName: "유리병", Class: wasteclass.Glass, Summary: "비우고 헹궈요",
		},
		"collection_points": []any{}, "cached": true, "photo": j.Links.Self + "/photo",
	}
	if change != nil {
		change(result, &j)
	}
	body, err := json.Marshal(result)
	if err != nil {
		t.Fatal(err)
	}
	j.Result = body
	page, err := json.Marshal(map[string]any{"jobs": []job.Job{j}, "next_page_token": "next"})
	if err != nil {
		t.Fatal(err)
	}
	return j, string(page)
}

func TestHistoryIsAskedInTheUsersName(t *testing.T) {
	t.Parallel()
	w := setup(t)
	j, page := listed(t, nil)
	w.waste.answer(says(http.StatusOK, page))
	bearer := w.token(w.user, "Minji")
	got := w.send(http.MethodGet, "/me/history?page_size=7&page_token=a%26b", bearer, "")
	if got.status != http.StatusOK {
		t.Fatalf("history: %d %s", got.status, got.body)
	}
	asked := w.waste.only(t)
	if asked.Header.Get("Authorization") != "Bearer "+bearer || asked.Method != http.MethodGet {
		t.Errorf("asked by %s with %q", asked.Method, asked.Header.Get("Authorization"))
	}
	if uri := "/api/v1/waste/analyses?page_size=7&page_token=a%26b&status=succeeded"; asked.RequestURI != uri {
		t.Errorf("asked %s, want %s", asked.RequestURI, uri)
	}
	if id := asked.Header.Get("X-Request-Id"); id != "request-of-the-test" {
		t.Errorf("asked as request %q", id)
	}

	var history HistoryPage
	decode(t, got.body, &history)
	want := HistoryPage{NextPageToken: "next", Items: []HistoryItem{{
		ID: j.ID, CreatedAt: j.CreatedAt, FinishedAt: j.FinishedAt, Class: wasteclass.Glass,
		ItemID: "glass_bottle", ItemName: "유리병", Label: "beer_bottle", Confidence: 0.93,
		Summary: "비우고 헹궈요", Cached: true, Photo: j.Links.Self + "/photo", Analysis: j.Links.Self,
	}}}
	if !reflect.DeepEqual(history, want) {
		t.Errorf("got %+v, want %+v", history, want)
	}
}

func TestEmptyHistory(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.waste.answer(says(http.StatusOK, `{"jobs": [], "next_page_token": ""}`))
	got := w.send(http.MethodGet, "/me/history", w.token(w.user, ""), "")
	if string(got.body) != `{"items":[],"next_page_token":""}` {
		t.Errorf("got %s", got.body)
	}
	if size := w.waste.only(t).URL.Query().Get("page_size"); size != "20" {
		t.Errorf("page size %q", size)
	}
}

func TestHistoryWithoutAdviceClass(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, page := listed(t, func(result map[string]any, _ *job.Job) { delete(result, "advice") })
	w.waste.answer(says(http.StatusOK, page))
	var history HistoryPage
	decode(t, w.send(http.MethodGet, "/me/history", w.token(w.user, ""), "").body, &history)
	if len(history.Items) != 1 || history.Items[0].Class != wasteclass.Glass {
		t.Errorf("history %+v", history)
	}
}

func TestHistoryRequestFaults(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.waste.answer(says(http.StatusOK, `{"jobs": []}`))
	for query, pointer := range map[string]string{
		"page_size=0": "page_size", "page_size=101": "page_size", "page_size=many": "page_size",
		"page_token=" + strings.Repeat("t", 257): "page_token",
	} {
		got := w.send(http.MethodGet, "/me/history?"+query, w.token(w.user, ""), "")
		got.want(t, http.StatusUnprocessableEntity, "invalid")
		if len(got.problem.Errors) != 1 || got.problem.Errors[0].Pointer != pointer {
			t.Errorf("%s: faults %+v", query, got.problem.Errors)
		}
	}
	w.waste.answer(says(http.StatusUnprocessableEntity, `{"code": "invalid"}`))
	got := w.send(http.MethodGet, "/me/history?page_token=forged", w.token(w.user, ""), "")
	got.want(t, http.StatusUnprocessableEntity, "invalid")
}

func TestHistoryWhenWasteFails(t *testing.T) {
	t.Parallel()
	w := setup(t)
	_, unfinished := listed(t, func(_ map[string]any, j *job.Job) { j.Status = job.Processing })
	_, odd := listed(t, func(result map[string]any, _ *job.Job) { result["vision"] = "glass" })
	for name, tt := range map[string]struct {
		handle     http.HandlerFunc
		status     int
		code       string
		retryAfter string
	}{
		"fails":       {says(500, `{}`), 503, "history_unavailable", "2"},
		"is busy":     {says(503, `{}`, "Retry-After", "9"), 503, "history_unavailable", "9"},
		"limits":      {says(429, `{}`, "Retry-After", "x"), 503, "history_unavailable", "2"},
		"redirects":   {says(302, ``, "Location", w.waste.url), 503, "history_unavailable", "2"},
		"is unsure":   {says(401, `{}`), 401, "unauthorized", ""},
		"garbles":     {says(200, `{"jobs": [`), 503, "history_unavailable", "2"},
		"sends HTML":  {says(200, `<html>`), 503, "history_unavailable", "2"},
		"lists other": {says(200, unfinished), 503, "history_unavailable", "2"},
		"has odd":     {says(200, odd), 503, "history_unavailable", "2"},
		"sends much":  {says(200, strings.Repeat(" ", maxAnswer+1)), 503, "history_unavailable", "2"},
		"is slow":     {isSlow, 503, "history_unavailable", "2"},
		"breaks off":  {breaksOff, 503, "history_unavailable", "2"},
	} {
		t.Run(name, func(t *testing.T) {
			w.waste.answer(tt.handle)
			began := time.Now()
			got := w.send(http.MethodGet, "/me/history", w.token(w.user, ""), "")
			got.want(t, tt.status, tt.code)
			if got.header.Get("Retry-After") != tt.retryAfter {
				t.Errorf("Retry-After %q, want %q", got.header.Get("Retry-After"), tt.retryAfter)
			}
			if took := time.Since(began); took > 20*wasteTimeout {
				t.Errorf("answered after %s", took)
			}
			if name != "breaks off" { // a broken connection may be tried again
				w.waste.only(t)
			}
		})
	}
	w.start(fmt.Sprintf("http://%s", closedAddr(t)))
	w.send(http.MethodGet, "/me/history", w.token(w.user, ""), "").
		want(t, http.StatusServiceUnavailable, "history_unavailable")
}
