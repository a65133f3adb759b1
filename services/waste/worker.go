package waste

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/vision"
)

// maxRestarts ends a job that keeps killing, or losing, its workers.
const maxRestarts = 25

// worker runs the tasks waste:analyze and waste:complete.
type worker struct {
	name       string
	store      *Store
	objects    *objectstore.Store
	progress   *progress.Store
	outbox     *outbox
	cache      *imageCache
	places     *places
	vision     vision.Analyzer
	normalizer *photo.Normalizer
	limits     photo.Limits
	cfg        JobsConfig
	metrics    *metrics
	logger     *slog.Logger
}

// run is one claimed job. The analysis in it is the newest that this attempt has written.
type run struct {
	*worker
	a Analysis
	// known is the cache's verdict where it lacks the advice.
	known *vision.Verdict
	// committing is set once this attempt gives the job away itself: a renewal that meets that
	// must not take the job for lost.
	committing atomic.Bool
}

func (w *worker) analyze(ctx context.Context, payload []byte) error {
	var ref pipeline.JobRef
	if err := json.Unmarshal(payload, &ref); err != nil {
		return queue.Permanent(fmt.Errorf("reading the task: %w", err))
	}
	a, err := w.store.claim(ctx, ref, pipeline.Analyze, w.name, w.cfg.Lease)
	return w.runClaimed(ctx, a, err, (*run).analyze)
}

func (w *worker) complete(ctx context.Context, payload []byte) error {
	var request pipeline.CompleteRequest
	if err := json.Unmarshal(payload, &request); err != nil {
		return queue.Permanent(fmt.Errorf("reading the task: %w", err))
	}
	a, err := w.claimComplete(ctx, request)
	return w.runClaimed(ctx, a, err, (*run).complete)
}

// claimComplete takes the recycling worker's advice, once; a repeat goes on with the one in the row.
func (w *worker) claimComplete(
	ctx context.Context, r pipeline.CompleteRequest,
) (Analysis, error) {
	if r.Advice != nil {
		a, err := w.store.claimAdvised(ctx, r.JobID, *r.Advice, w.name, w.cfg.Lease)
		if !errors.Is(err, errNotOurs) {
			return a, err
		}
		// This very task may have taken the advice before and failed after it.
		r.Dispatch = anyDispatch
	}
	return w.store.claim(ctx, r.JobRef, pipeline.Complete, w.name, w.cfg.Lease)
}

// runClaimed runs a stage of a claimed job under its lease and settles how it ended.
func (w *worker) runClaimed(
	ctx context.Context, a Analysis, claimErr error, stage func(*run, context.Context) error,
) error {
	if errors.Is(claimErr, errNotOurs) {
		w.logger.DebugContext(ctx, "task outdated")
		return nil
	}
	if claimErr != nil {
		return claimErr
	}
	w.metrics.claimed(&a)
	r := &run{worker: w, a: a}
	r.show(ctx)
	if a.Restarts > maxRestarts {
		return r.settle(ctx, errAbandoned)
	}
	leased, stop := r.keepLease(ctx)
	err := r.guarded(leased, stage)
	if err != nil && errors.Is(context.Cause(leased), errNotOurs) {
		err = errNotOurs
	}
	stop()
	return r.settle(ctx, err)
}

// guarded makes a panic an error, so that the job is settled and its user told.
func (r *run) guarded(ctx context.Context, stage func(*run, context.Context) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			r.logger.ErrorContext(ctx, "panic", "value", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return stage(r, ctx)
}

// keepLease renews the lease until stop; losing it ends the returned context with errNotOurs.
func (r *run) keepLease(ctx context.Context) (context.Context, func()) {
	leased, cancel := context.WithCancelCause(ctx)
	a := r.a
	var renewing sync.WaitGroup
	renewing.Go(func() {
		ticker := time.NewTicker(r.cfg.Lease / 3)
		defer ticker.Stop()
		for {
			select {
			case <-leased.Done():
				return
			case <-ticker.C:
			}
			err := r.store.renew(leased, &a, r.cfg.Lease)
			if errors.Is(err, errNotOurs) {
				if !r.committing.Load() {
					cancel(errNotOurs)
				}
				return
			}
			if err != nil && leased.Err() == nil {
				r.logger.WarnContext(ctx, "lease not renewed", "error", err)
			}
		}
	})
	return leased, func() { cancel(nil); renewing.Wait() }
}

// settleTimeout is what a worker that is stopping has to give its job back.
const settleTimeout = 3 * time.Second

// settle turns the end of a stage into the job's next state and asynq's.
func (r *run) settle(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, errNotOurs) {
		return nil
	}
	stopping := ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	switch end := final(err); {
	case stopping:
		return r.handBack(ctx)
	case end != nil:
		return r.endWith(ctx, end, nil)
	case r.a.Tries+1 >= r.cfg.MaxTries:
		return r.endWith(ctx, exhausted(err), queue.Permanent(err))
	default:
		return r.retry(ctx, err)
	}
}

// handBack sends the job to another worker at once; it does not count as a try.
func (r *run) handBack(ctx context.Context) error {
	a, err := r.store.release(ctx, &r.a, nil, 0)
	if err != nil {
		return ignoreNotOurs(err)
	}
	r.a = a
	r.show(ctx)
	return nil // the reconciler enqueues it: this task's id is still taken
}

func (r *run) retry(ctx context.Context, cause error) error {
	delay := queue.RetryDelay(r.a.Tries)
	var call *modelcall.Error
	if errors.As(cause, &call) {
		delay = max(delay, call.RetryAfter)
	}
	a, err := r.store.release(ctx, &r.a, tryError(exhausted(cause)), delay+pickupCheck)
	if err != nil {
		return ignoreNotOurs(err)
	}
	r.a = a
	r.show(ctx)
	return &queue.RetryError{Err: cause, Delay: delay}
}

func (r *run) endWith(ctx context.Context, end *problem.Error, result error) error {
	doc := end.Document()
	doc.Instance, doc.RequestID = selfLink(r.a.ID), r.a.RequestID
	a, err := r.store.fail(ctx, &r.a, doc, *tryError(end))
	if err != nil {
		return ignoreNotOurs(err)
	}
	r.a = a
	r.metrics.finished(&a, false)
	r.show(ctx)
	r.logger.InfoContext(ctx, "analysis failed", "code", end.Code, "error", end)
	return result
}

// maxReason is in bytes.
const maxReason = 500

// tryError is an error as operators see it: with its cause.
func tryError(p *problem.Error) *operator.JobError {
	why := &operator.JobError{Code: p.Code, Title: p.Detail}
	if cause := p.Unwrap(); cause != nil {
		text := strings.ToValidUTF8(strings.ReplaceAll(cause.Error(), "\x00", ""), "")
		why.Detail = strings.ToValidUTF8(text[:min(len(text), maxReason)], "")
	}
	return why
}

func ignoreNotOurs(err error) error {
	if errors.Is(err, errNotOurs) {
		return nil
	}
	return err
}

// show publishes the newest state.
func (r *run) show(ctx context.Context) { publish(ctx, r.progress, r.logger, &r.a) }

// advance commits a step and shows it.
func (r *run) advance(ctx context.Context, s step) error {
	a, err := r.store.advance(ctx, &r.a, s, r.cfg.Lease)
	if err != nil {
		return err
	}
	r.a = a
	r.show(ctx)
	return nil
}

// final returns the error that ends the job at once, or nil where another try may help.
func final(err error) *problem.Error {
	var call *modelcall.Error
	if errors.As(err, &call) {
		if call.Retryable {
			return nil
		}
		if call.Kind == modelcall.Refused {
			return errVisionRefused.Because(err)
		}
		return errVisionUnavailable.Because(err)
	}
	if errors.Is(err, errAbandoned) {
		return errAbandoned
	}
	var p *problem.Error
	if errors.As(err, &p) && !p.Retryable {
		return p
	}
	return nil
}

// exhausted is the error of a job whose tries are used up.
func exhausted(err error) *problem.Error {
	var call *modelcall.Error
	if errors.As(err, &call) {
		return errVisionUnavailable.Because(err)
	}
	return errUnavailable.Because(err)
}
