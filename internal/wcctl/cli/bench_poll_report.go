package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

// pollReport is what `wcctl bench poll -o json` prints. Rates are polls per second.
type pollReport struct {
	Replicas    []string    `json:"replicas"`
	Clients     int         `json:"clients"`
	JobsStarted int         `json:"jobs_started"`
	RunningMin  int         `json:"running_min"`
	Service     []pollRound `json:"service"`
	Bare        []pollRound `json:"bare"`
	Rate        float64     `json:"rate"`
	BareRate    float64     `json:"bare_rate"`
	// Ratio is Rate by BareRate, or 0 without a bare handler.
	Ratio float64 `json:"ratio"`
	// P99MS is that of the service's median round, WorstP99MS that of its worst.
	P99MS      float64 `json:"p99_ms"`
	WorstP99MS float64 `json:"worst_p99_ms"`
	Errors     int     `json:"errors"`
}

type pollRound struct {
	bench.Round
	P50MS float64 `json:"p50_ms"`
	P95MS float64 `json:"p95_ms"`
	P99MS float64 `json:"p99_ms"`
	MaxMS float64 `json:"max_ms"`
}

func newPollRound(r bench.Round) pollRound {
	return pollRound{
		Round: r, P50MS: milliseconds(r.P50), P95MS: milliseconds(r.P95),
		P99MS: milliseconds(r.P99), MaxMS: milliseconds(r.Max),
	}
}

func (r *pollReport) summarize() {
	rate := func(p pollRound) float64 { return p.Rate }
	r.Rate, r.BareRate = median(r.Service, rate), median(r.Bare, rate)
	r.P99MS = median(r.Service, func(p pollRound) float64 { return p.P99MS })
	if r.BareRate > 0 {
		r.Ratio = r.Rate / r.BareRate
	}
	for _, round := range r.Service {
		r.WorstP99MS = max(r.WorstP99MS, round.P99MS)
		for _, n := range round.Errors {
			r.Errors += n
		}
	}
}

func median(rounds []pollRound, of func(pollRound) float64) float64 {
	values := make([]float64, 0, len(rounds))
	for _, round := range rounds {
		values = append(values, of(round))
	}
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

func (r *pollReport) faults(opts benchPollOptions) []string {
	var faults []string
	if r.Errors > 0 {
		faults = append(faults, fmt.Sprintf("%d polls failed", r.Errors))
	}
	if r.Rate < opts.minRate {
		faults = append(faults, fmt.Sprintf("%.0f polls/s, not %.0f", r.Rate, opts.minRate))
	}
	if opts.minRatio > 0 && r.Ratio < opts.minRatio {
		faults = append(faults, fmt.Sprintf("ratio %.2f, not %.2f", r.Ratio, opts.minRatio))
	}
	if limit := milliseconds(opts.maxP99); limit > 0 && r.P99MS > limit {
		faults = append(faults, fmt.Sprintf("p99 %.1f ms, not %.1f ms", r.P99MS, limit))
	}
	return faults
}

func (r *pollReport) print(con *console, format outputFormat) error {
	if format == outputJSON {
		return writeJSON(con.out, r)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%d replicas, %d clients, at least %d jobs running, %d started\n\n",
		len(r.Replicas), r.Clients, r.RunningMin, r.JobsStarted)
	fmt.Fprintf(&text, "%-9s %9s %9s %8s %8s %8s  %s\n",
		"round", "polls/s", "p50 ms", "p95 ms", "p99 ms", "max ms", "errors")
	for i := range r.Service {
		r.Service[i].line(&text, fmt.Sprintf("service %d", i+1))
		if i < len(r.Bare) {
			r.Bare[i].line(&text, fmt.Sprintf("bare %d", i+1))
		}
	}
	fmt.Fprintf(&text, "\nmedian round %.0f polls/s, p99 %.1f ms, worst p99 %.1f ms", r.Rate, r.P99MS, r.WorstP99MS)
	if r.Ratio > 0 {
		fmt.Fprintf(&text, ", %.2f of the bare handler's %.0f", r.Ratio, r.BareRate)
	}
	_, err := fmt.Fprintln(con.out, text.String())
	return err
}

func (p pollRound) line(w *strings.Builder, name string) {
	kinds := make([]string, 0, len(p.Errors))
	for _, kind := range slices.Sorted(maps.Keys(p.Errors)) {
		kinds = append(kinds, fmt.Sprintf("%s: %d", kind, p.Errors[kind]))
	}
	errors := "none"
	if len(kinds) > 0 {
		errors = strings.Join(kinds, ", ")
	}
	fmt.Fprintf(w, "%-9s %9.0f %9.2f %8.2f %8.2f %8.2f  %s\n",
		name, p.Rate, p.P50MS, p.P95MS, p.P99MS, p.MaxMS, errors)
}
