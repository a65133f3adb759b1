package recycling

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/queue"
)

const (
	taskAnswer    = "recycling:answer"
	answerTimeout = time.Minute
	answerRetries = 5
	sendTimeout   = 2 * time.Second
	// dispatchAfter is how long a job that nobody works on waits before whoever looks at it sends
	// its task again: Redis may have lost it.
	dispatchAfter = 15 * time.Second
	// stalledAfter is longer than the longest model call.
	stalledAfter = askTimeout
)

var errJobNotFound = problem.New(problem.NotFound, "advice_not_found", "There is no such advice.")

// wish is what somebody asks POST /advice for.
type wish struct {
	ItemID    string
	Region    string
	Locale    string
	RequestID string
}

// adviceJob is a wish that a worker fulfills. It belongs to all who asked for the same.
type adviceJob struct {
	ID        uuid.UUID
	wish      wish
	hash      []byte
	attempt   int
	dispatch  int
	overdue   bool
	advice    *pipeline.Advice
	failure   *string
	createdAt time.Time
	updatedAt time.Time
}

func (j adviceJob) final() bool { return j.advice != nil || j.failure != nil }

// view is the job as the API shows it, in the shape of an analysis.
func (j adviceJob) view(now time.Time, retention time.Duration) (job.Job, error) {
	view := job.Job{
		ID: j.ID, Status: job.Queued, Stage: job.StageQueue, Attempt: max(j.attempt, 1),
		CreatedAt: j.createdAt, UpdatedAt: j.updatedAt, ExpiresAt: j.updatedAt.Add(retention),
		Links: job.Links{Self: "/api/v1/recycling/advice/" + j.ID.String()},
	}
	switch {
	case j.advice != nil:
		result, err := json.Marshal(j.advice)
		if err != nil {
			return view, fmt.Errorf("encoding the advice of job %s: %w", j.ID, err)
		}
		view.Status, view.Stage, view.Progress, view.Result = job.Succeeded, job.StageDone, 100, result
	case j.failure != nil:
		document := errItemNotFound.Document()
		view.Status, view.Stage, view.Progress, view.Error = job.Failed, job.StageAdvice, advising, &document
	case j.attempt > 0:
		view.Status, view.Stage, view.Progress = job.Processing, job.StageAdvice, advising
	}
	if j.final() {
		view.FinishedAt = &j.updatedAt
	} else {
		view.Stalled = now.Sub(j.updatedAt) > stalledAfter
	}
	view.Message = job.Message(view.Stage, j.wish.Locale)
	return view, nil
}

// desk takes wishes: it writes the job, which all with the same wish share, and sends its task.
type desk struct {
	store  *store
	tasks  *queue.Client
	logger *slog.Logger
}

// answerRequest is the payload of taskAnswer; the row has the rest.
type answerRequest struct {
	JobID uuid.UUID `json:"job_id"`
}

// open returns the job that is under way for the key, or a new one.
func (d *desk) open(ctx context.Context, key string, w wish) (adviceJob, error) {
	j, fresh, err := d.store.openJob(ctx, key, w)
	if err != nil {
		return j, err
	}
	if fresh {
		d.send(ctx, j)
		return j, nil
	}
	return j, d.mend(ctx, j)
}

// look returns the job. Who looks at it also mends it: a job that nobody waits for may be lost.
func (d *desk) look(ctx context.Context, id uuid.UUID) (adviceJob, error) {
	j, err := d.store.adviceJob(ctx, id)
	if err != nil {
		return j, err
	}
	return j, d.mend(ctx, j)
}

func (d *desk) mend(ctx context.Context, j adviceJob) error {
	if !j.overdue {
		return nil
	}
	dispatch, ok, err := d.store.redispatch(ctx, j.ID)
	if err != nil || !ok {
		return err
	}
	j.dispatch = dispatch
	d.send(ctx, j)
	return nil
}

// send only logs a failure: the row is the truth, and the next look sends again.
func (d *desk) send(ctx context.Context, j adviceJob) {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	_, err := d.tasks.Enqueue(ctx, queue.Task{
		Type: taskAnswer, ID: fmt.Sprintf("%s:answer:%d", j.ID, j.dispatch), Queue: queue.Recycling,
		Payload: answerRequest{JobID: j.ID}, JobID: j.ID.String(), RequestID: j.wish.RequestID,
		Timeout: answerTimeout, MaxRetry: answerRetries,
	})
	if err != nil {
		d.logger.WarnContext(ctx, "advice job not sent", "job_id", j.ID, "error", err)
	}
}
