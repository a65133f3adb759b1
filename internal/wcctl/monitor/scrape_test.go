package monitor

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// metricsText is what an API replica says after n requests, bad of them answered with 500, half of them
// faster than 10 ms, the others than 100 ms.
func metricsText(n, bad int) string {
	return fmt.Sprintf(`# TYPE process_start_time_seconds gauge
process_start_time_seconds %d
# TYPE wastecoach_build_info gauge
wastecoach_build_info{revision="2b0c6d9f7e1a4c58",version="v1.2.3"} 1
# TYPE waste_http_requests_total counter
waste_http_requests_total{method="GET",route="/api/v1/waste/analyses/:id",status="200"} %d
waste_http_requests_total{method="GET",route="/api/v1/waste/analyses/:id",status="500"} %d
waste_http_requests_total{method="GET",route="/metrics",status="200"} 1000
waste_http_requests_total{method="GET",route="/internal/operator/jobs",status="500"} 1000
# TYPE waste_http_request_seconds histogram
waste_http_request_seconds_bucket{method="GET",route="/api/v1/waste/analyses/:id",le="0.01"} %d
waste_http_request_seconds_bucket{method="GET",route="/api/v1/waste/analyses/:id",le="0.1"} %d
waste_http_request_seconds_bucket{method="GET",route="/api/v1/waste/analyses/:id",le="+Inf"} %d
waste_http_request_seconds_sum{method="GET",route="/api/v1/waste/analyses/:id"} 1
waste_http_request_seconds_count{method="GET",route="/api/v1/waste/analyses/:id"} %d
`, noon.Add(-time.Hour).Unix(), n-bad, bad, n/2, n, n, n)
}

func parsed(t *testing.T, text string, at time.Time) sample {
	t.Helper()
	s, err := parseSample(strings.NewReader(text), "waste", at)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRatesAreDifferencesOfScrapes(t *testing.T) {
	t.Parallel()
	first := parsed(t, metricsText(3600, 0), noon)
	if first.version != "v1.2.3" || first.count != 3600 || !first.started.Equal(noon.Add(-time.Hour)) {
		t.Errorf("%+v", first)
	}
	// Of one scrape: since the process began.
	if l := first.since([]sample{first}, rateWindow); math.Abs(l.rate-1) > 1e-9 || l.bad != 0 {
		t.Errorf("of one scrape: %+v", l)
	}
	second := parsed(t, metricsText(3700, 25), noon.Add(10*time.Second))
	l := second.since([]sample{first, second}, rateWindow)
	if math.Abs(l.rate-10) > 1e-9 || math.Abs(l.bad-2.5) > 1e-9 {
		t.Errorf("of two: %+v", l)
	}
	if got := l.took.latency(); got.P50 != 10*time.Millisecond || got.P95 != 91*time.Millisecond {
		t.Errorf("latency %+v", got)
	}
	// What is older than the window does not count.
	third := parsed(t, metricsText(3700, 25), noon.Add(30*time.Second))
	if l := third.since([]sample{first, second, third}, rateWindow); l.rate != 0 {
		t.Errorf("an idle window: %+v", l)
	}
	// A process that was started anew counts from zero.
	again := parsed(t, metricsText(30, 0), noon.Add(40*time.Second))
	again.started = noon.Add(30 * time.Second)
	if l := again.since([]sample{first, second, third, again}, rateWindow); math.Abs(l.rate-3) > 1e-9 {
		t.Errorf("a new process: %+v", l)
	}
}

func TestQuantile(t *testing.T) {
	t.Parallel()
	h := histogram{0.1: 10, 0.5: 10, 1: 20, math.Inf(1): 40}
	for q, want := range map[float64]time.Duration{
		0.1: 40 * time.Millisecond, 0.25: 100 * time.Millisecond, 0.5: time.Second, 0.95: time.Second,
	} {
		if got := h.quantile(q); got != want {
			t.Errorf("%v: %s, want %s", q, got, want)
		}
	}
	for name, h := range map[string]histogram{"nothing": nil, "empty": {math.Inf(1): 0}} {
		if got := h.quantile(.5); got != 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestServicesSumUpTheirReplicas(t *testing.T) {
	t.Parallel()
	s := newScrapes()
	of := func(name string, n int, at time.Time, err error) answer {
		return answer{replica: replica{pool: "waste", name: name}, sample: parsed(t, metricsText(n, 0), at), err: err}
	}
	gone := answer{replica: replica{pool: "waste", name: "waste-3"}, err: fmt.Errorf("gone")}
	slow := answer{replica: replica{pool: "waste", name: "waste-4"}, silent: fmt.Errorf("no answer in time")}
	s.add([]answer{of("waste-1", 100, noon, nil), of("waste-2", 200, noon, nil), gone, slow})
	later := noon.Add(5 * time.Second)
	list := s.add([]answer{
		of("waste-1", 110, later, nil), of("waste-2", 220, later, fmt.Errorf("/readyz answers 503")), gone, slow,
	})
	if len(list) != 1 {
		t.Fatalf("%+v", list)
	}
	got := list[0]
	if got.Replicas != 4 || got.Ready != 2 || math.Abs(got.Rate-6) > 1e-9 || got.Errors != 0 ||
		len(got.Versions) != 1 || got.Why != "waste-2: /readyz answers 503; waste-3: gone; waste-4: no answer in time" {
		t.Errorf("%+v", got)
	}
	for i := range 200 {
		at := later.Add(time.Duration(i) * 3 * time.Second)
		s.add([]answer{of("waste-1", 110+i, at, nil)})
	}
	if n := len(s.last["waste-1"]); n > 45 {
		t.Errorf("%d samples are kept", n)
	}
	if _, kept := s.last["waste-2"]; kept {
		t.Error("a replica that is gone is kept")
	}
}

func TestWorkersThatComeAndGoAreEvents(t *testing.T) {
	t.Parallel()
	var c comings
	one := Worker{ID: "aaaa-1", Host: "node", PID: 1, Queues: []string{"waste"}, Concurrency: 4}
	two := Worker{
		ID: "bbbb-2", Host: "node", PID: 2, Queues: []string{"waste"}, Concurrency: 4,
		StartedAt: noon, Running: []Running{{Task: "waste:analyze"}},
	}
	c.note([]Worker{one}, noon)
	if got := c.events(); len(got) != 0 {
		t.Errorf("the first look is no news: %+v", got)
	}
	c.note([]Worker{one, two}, noon.Add(time.Second))
	c.note([]Worker{one, two}, noon.Add(2*time.Second))
	c.note([]Worker{one}, noon.Add(3*time.Second))
	got := c.events()
	if len(got) != 2 || got[0].Kind != "worker.came" || !got[0].At.Equal(noon) || got[0].Bad ||
		got[1].Kind != "worker.went" || got[1].Subject != "node:2:bbbb" || !got[1].Bad {
		t.Errorf("%+v", got)
	}
}
