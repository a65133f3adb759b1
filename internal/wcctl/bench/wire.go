package bench

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Wire is an http.RoundTripper that notes how every request went, those included that a client sends
// again by itself.
type Wire struct {
	// Next sends the requests.
	Next http.RoundTripper

	mu    sync.Mutex
	start time.Time
	took  []time.Duration
	// failed counts by HTTP status or "connection".
	failed  map[string]int
	seconds []Second
}

// Second is one second of a run.
type Second struct {
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
}

// RoundTrip implements http.RoundTripper. A request is over when its answer's head is there; one whose
// context ended was given up by us, and is not counted.
func (w *Wire) RoundTrip(r *http.Request) (*http.Response, error) {
	start := time.Now()
	res, err := w.Next.RoundTrip(r)
	switch {
	case err != nil && r.Context().Err() != nil:
	case err != nil:
		w.note(start, "connection")
	case res.StatusCode >= http.StatusBadRequest && res.StatusCode != http.StatusUnauthorized:
		w.note(start, strconv.Itoa(res.StatusCode))
	default:
		w.note(start, "")
		res.Body = &body{ReadCloser: res.Body, torn: func() { w.note(start, "torn answer") }}
	}
	return res, err
}

// body tells of an answer that broke off.
type body struct {
	io.ReadCloser
	torn func()
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, context.Canceled) {
		b.torn()
	}
	return n, err
}

func (w *Wire) note(start time.Time, kind string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.start.IsZero() {
		w.start, w.failed = start, map[string]int{}
	}
	second := max(0, int(start.Sub(w.start)/time.Second))
	for len(w.seconds) <= second {
		w.seconds = append(w.seconds, Second{})
	}
	if kind != "torn answer" { // that request is counted already
		w.seconds[second].Requests++
		w.took = append(w.took, time.Since(start))
	}
	if kind != "" {
		w.seconds[second].Failed++
		w.failed[kind]++
	}
}

// Noted is what a Wire has seen.
type Noted struct {
	Round
	// Failed is how many requests failed, by any kind of error.
	Failed int `json:"failed"`
	// Seconds are all seconds since the first request.
	Seconds []Second `json:"seconds"`
	// TroubledSeconds is how long after the first failure the last second was in which 1 % or more failed;
	// 0 where no second was like that.
	TroubledSeconds int `json:"troubled_seconds"`
}

// troubled is the share of failures from which a second counts as one of trouble.
const troubled = 0.01

// Noted sums up.
func (w *Wire) Noted() Noted {
	w.mu.Lock()
	defer w.mu.Unlock()
	took := slices.Clone(w.took)
	slices.Sort(took)
	n := Noted{Seconds: slices.Clone(w.seconds)}
	n.Requests, n.Errors = len(took), map[string]int{}
	n.P50, n.P95, n.P99, n.Max = Quantile(took, .5), Quantile(took, .95), Quantile(took, .99), Quantile(took, 1)
	for kind, count := range w.failed {
		n.Errors[kind] = count
		n.Failed += count
	}
	first := slices.IndexFunc(w.seconds, func(s Second) bool { return s.Failed > 0 })
	for i, s := range w.seconds {
		if first >= 0 && s.Failed > 0 && float64(s.Failed) >= troubled*float64(s.Requests) {
			n.TroubledSeconds = i - first + 1
		}
	}
	if len(w.seconds) > 0 {
		n.Rate = float64(n.Requests) / float64(len(w.seconds))
	}
	return n
}
