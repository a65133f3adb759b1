package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	tries = 6
	// triesUnknown is for a server that has never answered: most likely it is not there.
	triesUnknown = 3
	firstBackoff = 200 * time.Millisecond
	maxBackoff   = 5 * time.Second
	// maxRetryAfter is how long a server may make us wait; above that its error is the answer.
	maxRetryAfter = time.Minute
)

// backOff waits before the next try; it returns err where there is none.
func (c *Client) backOff(ctx context.Context, err error, try int) error {
	most := tries
	if !c.answered.Load() {
		most = triesUnknown
	}
	wait, again := retryDelay(err, try)
	if !again || try >= most || ctx.Err() != nil {
		return err
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < wait {
		return err
	}
	return c.sleep(ctx, wait)
}

func retryDelay(err error, try int) (time.Duration, bool) {
	ceiling := min(firstBackoff<<(try-1), maxBackoff)
	backoff := ceiling/2 + rand.N(ceiling/2) //nolint:gosec // jitter needs no secrecy
	var (
		refused *Problem
		silent  *Unreachable
	)
	switch {
	case errors.As(err, &silent):
		return backoff, true
	case !errors.As(err, &refused):
		return 0, false
	}
	switch refused.Status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return max(backoff, refused.RetryAfter), refused.RetryAfter <= maxRetryAfter
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		return backoff, true
	}
	return 0, false
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
