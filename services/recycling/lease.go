package recycling

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// renewals is how often a lease is renewed while it lasts.
	renewals = 3
	// releaseTimeout bounds what is done for a job whose own time is over.
	releaseTimeout = time.Second
)

// hold renews the lease until the returned stop, which waits for a renewal under way. The returned
// context ends when the lease cannot be kept; its cause is errLeaseLost when another worker has it.
func (w *worker) hold(ctx context.Context, c claim) (context.Context, func()) {
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(w.renew(held, c))
	}()
	return held, func() {
		cancel(nil)
		<-done
	}
}

// renew returns why the lease ended: an unreachable database counts once the lease has run out.
func (w *worker) renew(ctx context.Context, c claim) error {
	ticker := time.NewTicker(w.lease / renewals)
	defer ticker.Stop()
	deadline := time.Now().Add(w.lease)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		trying, cancel := context.WithTimeout(ctx, w.lease/renewals)
		err := w.store.renewLease(trying, c, w.lease)
		cancel()
		switch {
		case err == nil:
			deadline = time.Now().Add(w.lease)
		case errors.Is(err, errLeaseLost):
			return err
		case ctx.Err() == nil && time.Now().After(deadline):
			return fmt.Errorf("keeping the lease: %w", err)
		}
	}
}

// release hands a job back. Where it fails, the lease runs out by itself.
func (w *worker) release(ctx context.Context, c claim) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	if err := w.store.releaseJob(ctx, c); err != nil && !errors.Is(err, errLeaseLost) {
		w.logger.WarnContext(ctx, "job not released", "error", err)
	}
}
