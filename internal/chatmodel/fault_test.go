package chatmodel

import (
	"net/http"
	"testing"
	"time"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "", 0},
		{"Retry-After", "3", 3 * time.Second},
		{"Retry-After", "0.5", 500 * time.Millisecond},
		{"Retry-After", "-4", 0},
		{"Retry-After", "NaN", 0},
		{"Retry-After", "Inf", time.Hour},
		{"Retry-After", "soon", 0},
		{"Retry-After", "Mon, 23 Nov 2026 12:00:30 GMT", 30 * time.Second},
		{"Retry-After", "Mon, 23 Nov 2026 11:00:00 GMT", 0},
		{"Retry-After-Ms", "250", 250 * time.Millisecond},
	}
	for _, c := range cases {
		header := http.Header{}
		header.Set(c.name, c.value)
		if got := retryAfter(header, now); got != c.want {
			t.Errorf("%s %q: %v, want %v", c.name, c.value, got, c.want)
		}
	}
}
