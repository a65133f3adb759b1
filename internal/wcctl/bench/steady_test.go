package bench_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

// TestSteadyTellsOfEveryFailure: a gateway fails some requests; the client tries again and every analysis ends, but the
// failures are counted.
func TestSteadyTellsOfEveryFailure(t *testing.T) {
	t.Parallel()
	server, user := setup(t)
	var polls atomic.Int64
	gateway := roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodGet && polls.Add(1)%10 == 0 {
			answer := httptest.NewRecorder()
			answer.WriteHeader(http.StatusBadGateway)
			return answer.Result(), nil
		}
		return http.DefaultTransport.RoundTrip(r)
	})
	wire := &bench.Wire{Next: gateway}
	c, err := client.New(client.Options{
		BaseURL: server.URL, Tokens: login(t, user), HTTP: &http.Client{Transport: wire},
	})
	check(t, err)
	ends, err := bench.Steady{
		Client: c, Polls: 200, Photos: 20, Duration: time.Second, Patience: time.Minute,
	}.Run(t.Context())
	check(t, err)
	if ends.Started == 0 || ends.Succeeded != ends.Started || ends.Lost+ends.Failed+ends.NotStarted > 0 {
		t.Errorf("%+v", ends)
	}
	n := wire.Noted()
	if n.Failed == 0 || n.Errors["502"] != n.Failed || n.TroubledSeconds == 0 {
		t.Errorf("%+v", n)
	}
	if requests := sumSeconds(n.Seconds); requests != n.Requests || n.Requests < 3*ends.Started {
		t.Errorf("%d requests in seconds, %d in all, %d analyses", requests, n.Requests, ends.Started)
	}
}

func TestSteadyWithoutFailures(t *testing.T) {
	t.Parallel()
	server, user := setup(t)
	wire := &bench.Wire{Next: http.DefaultTransport}
	c, err := client.New(client.Options{
		BaseURL: server.URL, Tokens: login(t, user), HTTP: &http.Client{Transport: wire},
	})
	check(t, err)
	_, err = bench.Steady{
		Client: c, Polls: 100, Photos: 10, Duration: time.Second, Patience: time.Minute,
	}.Run(t.Context())
	check(t, err)
	if n := wire.Noted(); n.Failed != 0 || n.TroubledSeconds != 0 || n.Requests == 0 || n.P50 <= 0 {
		t.Errorf("%+v", n)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func sumSeconds(seconds []bench.Second) int {
	sum := 0
	for _, s := range seconds {
		sum += s.Requests
	}
	return sum
}
