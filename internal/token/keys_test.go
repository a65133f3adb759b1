package token

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestKeysAreNotFetchedForEachForgedToken(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int64
	status := atomic.Int64{}
	status.Store(http.StatusServiceUnavailable)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"keys":[]}`)
		fetches.Add(1)
	}))
	defer server.Close()
	now := time.Unix(1_900_000_000, 0)
	client := &http.Client{Transport: &keeper{base: http.DefaultTransport, now: func() time.Time { return now }}}
	expect := func(want int64, wantStatus int) {
		t.Helper()
		response, err := client.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil || string(body) != `{"keys":[]}` || response.StatusCode != wantStatus ||
			response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %q, %v", response.Status, body, err)
		}
		if n := fetches.Load(); n != want {
			t.Errorf("%d fetches, want %d", n, want)
		}
	}
	expect(1, http.StatusServiceUnavailable)
	status.Store(http.StatusOK)
	expect(2, http.StatusOK) // a failure is not kept
	expect(2, http.StatusOK)
	now = now.Add(keysKept)
	expect(3, http.StatusOK)
}
