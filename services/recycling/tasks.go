package recycling

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/progress"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

// The limits of the task that follows ours.
const (
	completeTimeout = time.Minute
	completeRetries = 100 // out of reach: the waste service counts its own tries
)

// The states that the worker shows, and how far each is above the version handed over.
const (
	advising, advisingVersion = 70, 1
	advised, advisedVersion   = 80, 2
)

// worker carries analyses from 70 to 80 %, and the jobs of POST /advice from 0 to 100.
type worker struct {
	name     string
	lease    time.Duration
	store    *store
	rules    *rules
	adviser  *adviser
	progress *progress.Store
	tasks    *queue.Client
	logger   *slog.Logger
}

// advise is the handler of pipeline.Advise. It may run twice, also at the same time: the lease
// lets one through, and advice that is committed is only sent on.
func (w *worker) advise(ctx context.Context, payload []byte) error {
	var request pipeline.AdviseRequest
	if err := json.Unmarshal(payload, &request); err != nil {
		return queue.Permanent(fmt.Errorf("decoding a request for advice: %w", err))
	}
	if request.JobID.IsNil() || !request.Found.Class.Valid() {
		return queue.Permanent(fmt.Errorf("request for advice has job %s and class %q",
			request.JobID, request.Found.Class))
	}
	if request.Locale != "en" {
		request.Locale = "ko"
	}
	hash, err := requestHash(request)
	if err != nil {
		return queue.Permanent(err)
	}
	held, ok, err := w.fulfill(ctx, order{
		job: request.JobID, hash: hash, region: rulebase.Nationwide, locale: request.Locale,
		item: func(ctx context.Context) (rulebase.Item, error) {
			w.show(ctx, request, advising, advisingVersion)
			return w.store.findItem(ctx, w.rules.base.Version, request.Found.Class, request.Found.Label)
		},
	})
	if err != nil || !ok {
		return err
	}
	return w.sendOn(ctx, request, held)
}

// answer is the handler of taskAnswer: the job of a POST /advice. It may run twice, as advise may.
func (w *worker) answer(ctx context.Context, payload []byte) error {
	var request answerRequest
	if err := json.Unmarshal(payload, &request); err != nil {
		return queue.Permanent(fmt.Errorf("decoding a request for an answer: %w", err))
	}
	j, err := w.store.adviceJob(ctx, request.JobID)
	if errors.Is(err, errJobNotFound) {
		return queue.Permanent(err)
	}
	if err != nil || j.final() {
		return err
	}
	held, _, err := w.fulfill(ctx, order{
		job: j.ID, hash: j.hash, region: j.wish.Region, locale: j.wish.Locale, anew: true,
		item: func(ctx context.Context) (rulebase.Item, error) {
			return w.store.item(ctx, w.rules.base.Version, j.wish.ItemID)
		},
	})
	if errors.Is(err, errItemNotFound) { // a binary with other rules took the wish
		return w.store.failJob(ctx, held, errItemNotFound.Code)
	}
	return err
}

// order is one job's wish, from an analysis or from POST /advice.
type order struct {
	job    uuid.UUID
	hash   []byte
	region string
	locale string
	anew   bool
	item   func(context.Context) (rulebase.Item, error)
}

// fulfill sees to it that the job has its advice. It returns false where another worker does.
func (w *worker) fulfill(ctx context.Context, o order) (claim, bool, error) {
	held, err := w.store.claimJob(ctx, o.job, o.hash, w.name, w.lease)
	if errors.Is(err, errLeased) {
		w.logger.DebugContext(ctx, "another worker has the job")
		return held, false, nil
	}
	if err != nil || held.advice != nil {
		return held, err == nil, err
	}
	advice, err := w.produce(ctx, held, o)
	if errors.Is(err, errLeaseLost) {
		w.logger.InfoContext(ctx, "another worker took the job over", "attempt", held.attempt)
		return held, false, nil
	}
	if err != nil {
		w.release(ctx, held)
		return held, false, err
	}
	held.advice = &advice
	return held, true, nil
}

// requestHash covers what the advice depends on, so that a second dispatch of a job finds it.
func requestHash(request pipeline.AdviseRequest) ([]byte, error) {
	text, err := json.Marshal([]any{request.Found, request.Locale})
	if err != nil {
		return nil, fmt.Errorf("hashing a request for advice: %w", err)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}

// produce writes the advice while the lease is held, and commits it.
func (w *worker) produce(ctx context.Context, c claim, o order) (pipeline.Advice, error) {
	held, stop := w.hold(ctx, c)
	advice, err := w.write(held, c, o)
	// A renewal that meets its own commit would take the job for lost. The commit is fenced anyway.
	stop()
	if err != nil {
		return advice, leaseError(held, err)
	}
	return advice, w.store.commitAdvice(ctx, c, advice)
}

func (w *worker) write(ctx context.Context, c claim, o order) (pipeline.Advice, error) {
	item, err := o.item(ctx)
	if err != nil {
		return pipeline.Advice{}, err
	}
	item, region := w.rules.regional(item, o.region)
	return w.adviser.advise(ctx, question{
		item: item, region: region, locale: o.locale, job: c.job.String(), attempt: c.attempt, anew: o.anew,
	})
}

// leaseError says that the lease is lost where that is why the work ended.
func leaseError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); errors.Is(cause, errLeaseLost) {
		return cause
	}
	return err
}

// sendOn shows 80 % and enqueues the next task; the advice is committed, so a retry costs nothing.
func (w *worker) sendOn(
	ctx context.Context, request pipeline.AdviseRequest, c claim,
) error {
	w.show(ctx, request, advised, advisedVersion)
	_, err := w.tasks.Enqueue(ctx, queue.Task{
		Type: pipeline.Complete,
		// With the attempt: a task that asynq has archived or orphaned must not block the next one.
		ID:      fmt.Sprintf("%s:complete:%d:%d", request.JobID, request.Dispatch, c.attempt),
		Queue:   queue.Waste,
		Payload: pipeline.CompleteRequest{JobRef: request.JobRef, Advice: c.advice},
		JobID:   request.JobID.String(), RequestID: request.RequestID,
		Timeout: completeTimeout, MaxRetry: completeRetries,
	})
	return err
}

// show moves what pollers see. It is a courtesy: PostgreSQL has the truth, so nothing fails here.
func (w *worker) show(ctx context.Context, request pipeline.AdviseRequest, percent int, above int64) {
	if err := w.tryShow(ctx, request, percent, above); err != nil && ctx.Err() == nil {
		w.logger.WarnContext(ctx, "progress not shown", "progress", percent, "error", err)
	}
}

func (w *worker) tryShow(
	ctx context.Context, request pipeline.AdviseRequest, percent int, above int64,
) error {
	snap, ok, err := w.progress.Get(ctx, request.JobID)
	version := request.Version + above
	if err != nil || !ok || snap.Finished || snap.Version >= version {
		return err
	}
	var seen job.Job
	if err := json.Unmarshal(snap.Body, &seen); err != nil {
		return fmt.Errorf("decoding the progress of job %s: %w", request.JobID, err)
	}
	now := time.Now().UTC()
	seen.Progress, seen.Stage, seen.UpdatedAt = percent, job.StageAdvice, now
	seen.Message = job.Message(job.StageAdvice, request.Locale)
	snap.Version, snap.Changed = version, now
	if snap.Body, err = json.Marshal(seen); err != nil {
		return fmt.Errorf("encoding the progress of job %s: %w", request.JobID, err)
	}
	return w.progress.Put(ctx, request.JobID, snap)
}
