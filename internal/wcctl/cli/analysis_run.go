package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/progress"
)

// cancelTime is how long the server may take to hear that we stop.
const cancelTime = 5 * time.Second

var errTimeout = errors.New("no answer")

// analysisRun carries photos to their answers.
type analysisRun struct {
	client *client.Client
	sink   progress.Sink
	opts   analyzeOptions
	locale string
}

// all fills the entries in. One photo's failure does not stop another.
func (r *analysisRun) all(ctx context.Context, entries []*entry) {
	var group errgroup.Group
	group.SetLimit(r.opts.concurrency)
	for i, e := range entries {
		group.Go(func() error {
			r.one(ctx, i, e)
			return nil
		})
	}
	_ = group.Wait() // the entries hold the errors
}

func (r *analysisRun) one(ctx context.Context, index int, e *entry) {
	start := time.Now()
	show := func(percent int, message string, state progress.State) {
		r.sink.Show(progress.Event{
			Index: index, Name: e.file.name(), Percent: percent, Message: message, State: state,
		})
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.opts.timeout,
		fmt.Errorf("%w within %s", errTimeout, r.opts.timeout))
	defer cancel()
	err := r.analyze(ctx, e, show)
	e.Seconds = time.Since(start).Seconds()
	if err != nil {
		if cause := context.Cause(ctx); cause != nil && errors.Is(err, ctx.Err()) {
			err = cause
		}
		e.fail(err, r.client.BaseURL())
		show(e.percent(), e.Error.Message, progress.Failed)
		return
	}
	show(100, e.answer.Advice.Summary, progress.Done)
}

func (r *analysisRun) analyze(
	ctx context.Context, e *entry, show func(int, string, progress.State),
) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	show(0, uploading[r.locale], progress.Running)
	data, err := e.file.read()
	if err != nil {
		return fmt.Errorf("reading the photo: %w", err)
	}
	upload, err := r.client.UploadPhoto(ctx, data, e.file.kind)
	if err != nil {
		return fmt.Errorf("uploading: %w", err)
	}
	key, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("making a key: %w", err)
	}
	first, err := r.client.CreateAnalysis(ctx, client.AnalysisRequest{
		UploadID: upload, Location: r.opts.location.at, Locale: r.locale,
		IdempotencyKey: key.String(),
	})
	if err != nil {
		return fmt.Errorf("starting the analysis: %w", err)
	}
	e.Job = &first.Job
	return r.watch(ctx, e, first, show)
}

func (r *analysisRun) watch(
	ctx context.Context, e *entry, first client.Snapshot, show func(int, string, progress.State),
) error {
	last, err := r.client.Watch(ctx, first, func(j job.Job) {
		if !j.Status.Final() {
			show(j.Progress, j.Message, progress.Running)
		}
	})
	e.Job = &last
	if err != nil {
		if ctx.Err() != nil {
			r.cancel(ctx, e)
		}
		return fmt.Errorf("waiting for the answer: %w", err)
	}
	if last.Status != job.Succeeded {
		return &jobError{last}
	}
	e.answer, err = client.ParseResult(last)
	return err
}

// cancel stops a job that nobody waits for anymore; the server would end it anyway, but busy.
func (r *analysisRun) cancel(ctx context.Context, e *entry) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	if s, err := r.client.CancelAnalysis(ctx, e.Job.ID.String()); err == nil {
		e.Job = &s.Job
	}
}

// jobError is a job that ended without an answer.
type jobError struct{ job job.Job }

// Error implements error.
func (e *jobError) Error() string {
	if e.job.Error != nil {
		return (&client.Problem{Document: *e.job.Error}).Error()
	}
	return fmt.Sprintf("the analysis %s is %s", e.job.ID, e.job.Status)
}

// Unwrap returns the problem that the job carries.
func (e *jobError) Unwrap() error {
	if e.job.Error == nil {
		return nil
	}
	return &client.Problem{Document: *e.job.Error}
}

var uploading = map[string]string{korean: "사진을 올리고 있어요", english: "Uploading the photo"}
