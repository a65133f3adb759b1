package client_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/client/clienttest"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// memory is a client.TokenStore without a file.
type memory struct {
	mu     sync.Mutex
	tokens client.Tokens
}

func (m *memory) Update(
	_ context.Context, change func(client.Tokens) (client.Tokens, error),
) (client.Tokens, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	after, err := change(m.tokens)
	if err == nil {
		m.tokens = after
	}
	return after, err
}

// bundle is a server, a logged-in client, and the waits between its tries, which take no time.
type bundle struct {
	server *clienttest.Server
	client *client.Client
	store  *memory
	mu     sync.Mutex
	waits  []time.Duration
}

func setup(t *testing.T, server *clienttest.Server) *bundle {
	t.Helper()
	t.Cleanup(server.Close)
	b := &bundle{server: server, store: &memory{}}
	c, err := client.New(client.Options{
		BaseURL: server.URL, Sleep: func(ctx context.Context, d time.Duration) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.waits = append(b.waits, d)
			return ctx.Err()
		},
	})
	check(t, err)
	if !server.Interactive {
		b.store.tokens, err = c.FollowLogin(t.Context(), c.StartLogin("dev", "http://127.0.0.1/cb"))
		check(t, err)
	}
	b.client = c.WithTokens(client.NewSession(c, b.store))
	return b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) start(t *testing.T, photo string) (client.Snapshot, error) {
	t.Helper()
	upload, err := b.client.UploadPhoto(t.Context(), []byte(photo), "image/jpeg")
	if err != nil {
		return client.Snapshot{}, err
	}
	return b.client.CreateAnalysis(t.Context(), client.AnalysisRequest{
		UploadID: upload, Locale: "en", IdempotencyKey: "key-" + upload,
		Location: &client.Location{Lat: 37.5, Lng: 127},
	})
}

func TestAPhotoGetsItsAnswer(t *testing.T) {
	t.Parallel()
	b := setup(t, clienttest.New())
	first, err := b.start(t, "photo")
	check(t, err)
	var seen []int
	last, err := b.client.Watch(t.Context(), first, func(j job.Job) {
		seen = append(seen, j.Progress)
	})
	check(t, err)
	got, err := client.ParseResult(last)
	check(t, err)
	if got.Vision.NameEN != "Glass bottle" || len(got.CollectionPoints) != 2 {
		t.Errorf("got %+v", got)
	}
	if want := []int{0, 10, 40, 80, 100}; !equal(seen, want) {
		t.Errorf("saw %v, want %v: a 304 is no change", seen, want)
	}
	for _, wait := range b.waits {
		if wait != 20*time.Millisecond {
			t.Errorf("waited %s, not what Poll-After-Ms asked for", wait)
		}
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestPollAfterIsBounded(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]time.Duration{
		"0": 20 * time.Millisecond, "1500": 1500 * time.Millisecond,
		"99999999": 30 * time.Second, "soon": 500 * time.Millisecond,
	} {
		server := clienttest.New()
		server.PollAfterMs = header
		got, err := setup(t, server).start(t, "photo")
		check(t, err)
		if got.PollAfter != want {
			t.Errorf("Poll-After-Ms: %s gave %s, want %s", header, got.PollAfter, want)
		}
	}
}

// times answers the first n requests whose path ends with suffix by refuse.
func times(n int, suffix string, refuse http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if !strings.HasSuffix(r.URL.Path, suffix) || n == 0 {
			return false
		}
		n--
		refuse(w, r)
		return true
	}
}

func TestPassingFaultsAreRetried(t *testing.T) {
	t.Parallel()
	unavailable := problem.New(problem.Unavailable, "overloaded", "Later, please.")
	cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	tests := map[string]struct {
		refuse http.HandlerFunc
		least  time.Duration
	}{
		"429 with Retry-After": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			clienttest.Refuse(w, problem.New(problem.RateLimited, "rate_limited", "Slowly."))
		}, 7 * time.Second},
		"503 with a date": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat))
			clienttest.Refuse(w, unavailable)
		}, 15 * time.Second},
		"503":              {func(w http.ResponseWriter, _ *http.Request) { clienttest.Refuse(w, unavailable) }, 0},
		"a gateway's page": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, 0},
		"a cut connection": {cut, 0},
		"half of an answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("{"))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := clienttest.New()
			b := setup(t, server)
			server.Fault = times(2, "/waste/analyses", tt.refuse)
			got, err := b.start(t, "photo")
			check(t, err)
			// net/http repeats one of two cut tries by itself: the key says that it may.
			if n := len(b.waits); n < 1 || got.Job.Status != job.Queued || b.waits[0] < tt.least {
				t.Errorf("%s after waits %v", got.Job.Status, b.waits)
			}
			if n := len(server.Requests(http.MethodPost, "/waste/analyses")); n != 3 {
				t.Errorf("%d tries, want 3", n)
			}
			if jobs := len(server.Statuses()); jobs != 1 {
				t.Errorf("%d jobs for one key", jobs)
			}
		})
	}
}

func TestAPhotoWhoseAnswerWasLostIsNotSentTwice(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	b := setup(t, server)
	lost := false
	inner := server.Config.Handler
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut || lost {
			inner.ServeHTTP(w, r)
			return
		}
		lost = true
		inner.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	if _, err := b.start(t, "photo"); err != nil {
		t.Fatal(err)
	}
	if puts := len(server.Requests(http.MethodPut, "")); puts != 2 {
		t.Errorf("%d PUTs, want the lost one and the 412", puts)
	}
}

func TestLastingFaultsAreNotRetried(t *testing.T) {
	t.Parallel()
	tests := map[string]*problem.Error{
		"photo_too_large":  problem.New(problem.TooLarge, "photo_too_large", "Too large."),
		"photo_type":       problem.New(problem.UnsupportedType, "photo_type", "No photo."),
		"invalid":          problem.New(problem.Invalid, "invalid", "No."),
		"internal":         problem.New(problem.Internal, "internal", "Our fault."),
		"upload_not_found": problem.New(problem.NotFound, "upload_not_found", "None."),
	}
	for code, refusal := range tests {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			server := clienttest.New()
			b := setup(t, server)
			server.Fault = times(9, "/waste/uploads",
				func(w http.ResponseWriter, _ *http.Request) { clienttest.Refuse(w, refusal) })
			_, err := b.start(t, "photo")
			var got *client.Problem
			if !errors.As(err, &got) || got.Code != code || got.Status != int(refusal.Kind) ||
				got.RequestID != "request-1" {
				t.Errorf("got %#v", err)
			}
			if n := len(server.Requests(http.MethodPost, "/waste/uploads")); n != 1 {
				t.Errorf("%d tries", n)
			}
		})
	}
}

func TestFeedbackIsSentOnce(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	b := setup(t, server)
	started, err := b.start(t, "photo")
	check(t, err)
	id := started.Job.ID.String()
	server.Fault = times(1, "/feedback", func(w http.ResponseWriter, _ *http.Request) {
		clienttest.Refuse(w, problem.New(problem.Unavailable, "overloaded", "Later."))
	})
	err = b.client.SendFeedback(t.Context(), id, client.Feedback{Class: "metal"})
	if !client.IsCode(err, "overloaded") {
		t.Errorf("a call that may not be repeated gave %v", err)
	}
	check(t, b.client.SendFeedback(t.Context(), id, client.Feedback{Class: "metal"}))
}

func TestALongRetryAfterIsTheAnswer(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	b := setup(t, server)
	server.Fault = times(9, "/waste/uploads", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		clienttest.Refuse(w, problem.New(problem.RateLimited, "daily_limit", "Tomorrow."))
	})
	_, err := b.start(t, "photo")
	var got *client.Problem
	if !errors.As(err, &got) || got.RetryAfter != time.Hour || len(b.waits) != 0 {
		t.Errorf("got %v after waits %v", err, b.waits)
	}
}

func TestARefusedTokenIsReplacedOnceByAll(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	b := setup(t, server)
	started, err := b.start(t, "please-hang")
	check(t, err)
	server.ForgetTokens()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := b.client.Analysis(t.Context(), started.Job.ID.String(), ""); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := len(server.Requests(http.MethodPost, "/auth/refresh")); n != 1 {
		t.Errorf("%d refreshes for one stale token", n)
	}
}

func TestATokenIsReplacedBeforeItExpires(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	server.AccessLife = 20 * time.Second // less than its way may take
	b := setup(t, server)
	if _, err := b.start(t, "photo"); err != nil {
		t.Fatal(err)
	}
	if len(server.Requests(http.MethodPost, "/auth/refresh")) == 0 {
		t.Error("a token that expires on its way was used")
	}
}

func TestAnEndedSessionIsLoggedOut(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	b := setup(t, server)
	server.ForgetLogins()
	if _, err := b.start(t, "photo"); !errors.Is(err, client.ErrLoggedOut) {
		t.Errorf("got %v", err)
	}
}

func TestALoginEndsOnlyWithItsOwnAddress(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	server.Interactive = true
	b := setup(t, server)
	flow := b.client.StartLogin("dev", "http://127.0.0.1:1/cb")
	if _, err := b.client.FollowLogin(t.Context(), flow); err == nil {
		t.Error("a page for people was followed")
	}
	opened, err := url.Parse(flow.URL)
	check(t, err)
	ours := server.Visit(opened.Query())
	for address, want := range map[string]string{
		"http://127.0.0.1:1/cb?code=code-1&state=other":  "another login",
		ours + "&error=access_denied":                    "access_denied",
		strings.Replace(ours, "code=code-", "c=c", 1):    "no code",
		strings.Replace(ours, "code=code-", "code=x", 1): "code_invalid",
	} {
		back, err := url.Parse(address)
		check(t, err)
		if _, err := b.client.FinishLogin(t.Context(), flow, back); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", address, err, want)
		}
	}
	back, err := url.Parse(ours)
	check(t, err)
	tokens, err := b.client.FinishLogin(t.Context(), flow, back)
	check(t, err)
	if tokens.UserID != clienttest.UserID || tokens.RefreshToken == "" {
		t.Errorf("got %+v", tokens)
	}
}

func TestAServerThatIsNotThere(t *testing.T) {
	t.Parallel()
	server := clienttest.New()
	b := setup(t, server)
	gone, err := client.New(client.Options{BaseURL: "http://127.0.0.1:1"})
	check(t, err)
	_, err = gone.Providers(t.Context())
	var silent *client.Unreachable
	if !errors.As(err, &silent) || silent.Address != "http://127.0.0.1:1" {
		t.Errorf("got %v", err)
	}
	server.Server.Close()
	if _, err = b.start(t, "photo"); !errors.As(err, &silent) {
		t.Errorf("got %v", err)
	}
	if len(b.waits) != 5 {
		t.Errorf("a server that answered before was tried %d times", len(b.waits)+1)
	}
}

func TestCancelingStopsTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t, clienttest.New())
	started, err := b.start(t, "please-hang")
	check(t, err)
	id := started.Job.ID.String()
	got, err := b.client.CancelAnalysis(t.Context(), id)
	check(t, err)
	if got.Job.Status != job.Canceled {
		t.Errorf("it is %s", got.Job.Status)
	}
	if _, err := b.client.CancelAnalysis(t.Context(), id); !client.IsStatus(err, http.StatusConflict) {
		t.Errorf("the second cancel gave %v", err)
	}
	page, err := b.client.Analyses(t.Context(), client.ListRequest{Status: job.Canceled})
	check(t, err)
	if len(page.Jobs) != 1 {
		t.Errorf("listed %d", len(page.Jobs))
	}
}

func TestCallsEndWithTheContext(t *testing.T) {
	t.Parallel()
	b := setup(t, clienttest.New())
	started, err := b.start(t, "please-hang")
	check(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	_, err = b.client.Watch(ctx, started, func(job.Job) {
		if seen++; seen == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAddressesThatCannotBe(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "localhost:8080", "ftp://x", "http://", "http://[::1"} {
		if _, err := client.New(client.Options{BaseURL: address}); err == nil {
			t.Errorf("%q was taken", address)
		}
	}
}
