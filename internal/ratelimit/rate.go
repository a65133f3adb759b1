// Package ratelimit bounds how often somebody may ask, in this process and over all of them.
package ratelimit

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how many requests fit into a window. They may come all at once; what was used comes back
// evenly (GCRA). The zero value is no limit.
type Rate struct {
	requests int
	window   time.Duration
}

// Per returns a Rate of so many requests in a window.
func Per(requests int, window time.Duration) Rate { return Rate{requests, window} }

// shortest is the window below which the answers' whole seconds would say nothing.
const shortest = time.Second

// UnmarshalText reads "1200/1m": 1200 requests a minute; "off" is no limit.
func (r *Rate) UnmarshalText(text []byte) error {
	if string(text) == "off" {
		*r = Rate{}
		return nil
	}
	count, span, _ := strings.Cut(string(text), "/")
	requests, err := strconv.Atoi(count)
	window, errWindow := time.ParseDuration(span)
	if err != nil || errWindow != nil || requests < 1 || window < shortest || window/time.Duration(requests) == 0 {
		return fmt.Errorf("%q is no rate such as 1200/1m, nor off", text)
	}
	*r = Rate{requests, window}
	return nil
}

// String is what UnmarshalText reads.
func (r Rate) String() string {
	if r.Off() {
		return "off"
	}
	return fmt.Sprintf("%d/%s", r.requests, r.window)
}

// Off tells whether there is no limit.
func (r Rate) Off() bool { return r.requests == 0 }

// Requests is the quota of one window.
func (r Rate) Requests() int { return r.requests }

// Window is how long a used-up quota takes to be whole again.
func (r Rate) Window() time.Duration { return r.window }

func (r Rate) interval() time.Duration { return r.window / time.Duration(r.requests) }

// Decision is what one request was told.
type Decision struct {
	Allowed bool
	// Remaining is how many more would be allowed at once.
	Remaining int
	// Reset is when the whole quota is there again.
	Reset time.Duration
	// RetryAfter is when the next one will be allowed; 0 where this one was.
	RetryAfter time.Duration
}

// take decides by the time until which the requests so far are spread out, and returns the new one.
// gcra.lua does the same.
func (r Rate) take(now, until time.Time) (time.Time, Decision) {
	if until.Before(now) {
		until = now
	}
	next := until.Add(r.interval())
	if wait := next.Add(-r.window).Sub(now); wait > 0 {
		return until, Decision{Reset: until.Sub(now), RetryAfter: wait}
	}
	return next, r.allowed(next.Sub(now))
}

func (r Rate) allowed(reset time.Duration) Decision {
	return Decision{Allowed: true, Remaining: int((r.window - reset) / r.interval()), Reset: reset}
}
