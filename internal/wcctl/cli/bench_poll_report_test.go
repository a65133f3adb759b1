package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

func round(rate float64, p99 time.Duration, errors map[string]int) pollRound {
	return newPollRound(bench.Round{Requests: 10, Rate: rate, P99: p99, Errors: errors})
}

func TestABenchmarkIsJudgedByItsMedianRound(t *testing.T) {
	t.Parallel()
	r := &pollReport{
		Service: []pollRound{
			round(100, 90*time.Millisecond, nil), round(300, 20*time.Millisecond, nil),
			round(200, 10*time.Millisecond, nil),
		},
		Bare: []pollRound{round(400, 0, nil), round(900, 0, nil), round(100, 0, nil)},
	}
	r.summarize()
	if r.Rate != 200 || r.BareRate != 400 || r.Ratio != .5 || r.P99MS != 20 || r.WorstP99MS != 90 {
		t.Errorf("%+v", r)
	}
	for want, opts := range map[string]benchPollOptions{
		"":                   {minRate: 200, minRatio: .5, maxP99: 20 * time.Millisecond},
		"200 polls/s, not":   {minRate: 201},
		"ratio 0.50, not":    {minRatio: .51},
		"p99 20.0 ms, not 1": {maxP99: 19 * time.Millisecond},
	} {
		got := strings.Join(r.faults(opts), "; ")
		if want == "" && got != "" || !strings.HasPrefix(got, want) {
			t.Errorf("%+v: got %q, want %q", opts, got, want)
		}
	}
}

func TestFailedPollsFailTheBenchmark(t *testing.T) {
	t.Parallel()
	r := &pollReport{
		Service: []pollRound{round(100, 0, map[string]int{"503": 2, "connection": 1})},
	}
	r.summarize()
	if got := r.faults(benchPollOptions{}); len(got) != 1 || got[0] != "3 polls failed" {
		t.Errorf("got %q", got)
	}
	var out bytes.Buffer
	if err := r.print(&console{out: &out}, outputText); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "503: 2, connection: 1") {
		t.Error(out.String())
	}
	if strings.Contains(out.String(), "bare") {
		t.Error("a bare handler that did not run is shown")
	}
}
