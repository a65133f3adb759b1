package waste

import (
	"context"
	"errors"
	"fmt"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/queue"
)

// refusal is why an operator's wish is not done, in words for them.
type refusal string

func (r refusal) Error() string { return string(r) }

const (
	errNoJob   = refusal("there is no such job")
	errBusy    = refusal("it changes too fast just now: try again")
	errNoPhoto = refusal("its photo is gone: nothing is left to analyze")
	errFault   = refusal("it could not be done just now: the service's log says why")
)

// movedTries is how often an action looks at a job anew that moved on under its hands.
const movedTries = 5

// Act implements operator.Jobs.
func (o *overseer) Act(
	ctx context.Context, actor string, a operator.Action,
) ([]operator.Outcome, error) {
	var outcomes []operator.Outcome
	if a.Queue != "" {
		changed, err := o.pause(ctx, a.Queue, a.Verb == operator.Pause)
		outcomes = append(outcomes, o.settle(ctx, actor, a.Verb, "queue", a.Queue, changed, err))
	}
	for _, id := range a.Jobs {
		changed, err := o.actOn(ctx, a.Verb, id)
		outcomes = append(outcomes, o.settle(ctx, actor, a.Verb, "job", id.String(), changed, err))
	}
	if err := o.store.noteActions(ctx, a.Verb.Kind(), actor, outcomes); err != nil {
		o.logger.WarnContext(ctx, "action not noted", "error", err) // the audit log has it
	}
	return outcomes, nil
}

// auditNames are the verbs in the audit log.
var auditNames = map[operator.Verb]audit.Name{
	operator.Retry: audit.JobRetried, operator.Cancel: audit.JobCanceled,
	operator.Archive: audit.JobArchived, operator.Delete: audit.JobDeleted,
	operator.RunNow: audit.JobRun, operator.Repair: audit.JobRepaired,
	operator.Pause: audit.QueuePaused, operator.Resume: audit.QueueResumed,
}

// settle writes the audit line of what was done to one thing, and says it.
func (o *overseer) settle(
	ctx context.Context, actor string, verb operator.Verb, kind, subject string, changed bool, err error,
) operator.Outcome {
	line := audit.Event{
		Name: auditNames[verb], Outcome: audit.Done, Actor: audit.OperatorNamed(actor),
		Subject: kind + ":" + subject,
	}
	out := operator.Outcome{Subject: subject, Changed: changed}
	var no refusal
	switch {
	case errors.As(err, &no):
		line.Outcome, line.Reason, out.Error = audit.Refused, "not_possible", no.Error()
	case err != nil:
		o.logger.ErrorContext(ctx, "action failed", "verb", string(verb), "subject", subject, "error", err)
		line.Outcome, line.Reason, out.Error = audit.Failed, "fault", errFault.Error()
		if outage.Is(err) {
			line.Reason, out.Error = "outage", "PostgreSQL or Redis cannot be reached: try again later"
		}
	case !changed:
		line.Reason = "unchanged"
	}
	o.audit.Write(ctx, line)
	return out
}

func (o *overseer) pause(ctx context.Context, name string, paused bool) (bool, error) {
	if name != queue.Waste && name != queue.Recycling {
		return false, refusal(fmt.Sprintf("there is no queue %q, but %s and %s", name, queue.Waste, queue.Recycling))
	}
	return queue.Pause(ctx, o.jobs, name, paused)
}

// actOn looks at the job and does what the verb says to it as it was seen. Who moved it meanwhile wins;
// then it is looked at again.
func (o *overseer) actOn(ctx context.Context, verb operator.Verb, id uuid.UUID) (changed bool, err error) {
	acts := map[operator.Verb]func(context.Context, *Analysis) (bool, error){
		operator.Retry: o.retry, operator.Cancel: o.cancel, operator.Archive: o.archive,
		operator.Delete: o.remove, operator.RunNow: o.runNow, operator.Repair: o.repair,
	}
	for range movedTries {
		a, err := o.store.anyones(ctx, id)
		if errors.Is(err, operator.ErrJobNotFound) {
			return false, errNoJob
		}
		if err != nil {
			return false, err
		}
		changed, err := acts[verb](ctx, &a)
		if !errors.Is(err, errNotOurs) {
			return changed, err
		}
	}
	return false, errBusy
}

// archived tells whether an operator has put the job aside; see archivedSQL.
func (a *Analysis) archived() bool {
	return a.Status == job.Queued && a.CheckAt != nil && a.CheckAt.Equal(a.ExpiresAt)
}

func (o *overseer) retry(ctx context.Context, a *Analysis) (bool, error) {
	switch {
	case a.Status == job.Succeeded:
		return false, refusal("it has its answer already")
	case a.Status == job.Expired:
		return false, errNoPhoto
	case !a.Status.Final() && !a.archived():
		return false, nil // it is under way
	}
	has, err := o.store.hasPhoto(ctx, a)
	if err != nil {
		return false, err
	}
	if !has {
		return false, errNoPhoto
	}
	again, err := o.store.retryEnded(ctx, a, pickupCheck)
	if err != nil {
		return false, err
	}
	if a.archived() {
		o.dropTask(ctx, queue.Ref{Queue: queueOf(a.NextTask), ID: archivedTask(a)})
	}
	o.announce(ctx, &again)
	return true, nil
}

// announce shows the job to its poller and sends its task, if it has come to one. Failing is no loss:
// the reconciler finds the row.
func (o *overseer) announce(ctx context.Context, a *Analysis) {
	publish(ctx, o.progress, o.logger, a)
	if a.Status != job.Queued {
		return
	}
	if err := o.outbox.send(ctx, a); err != nil {
		o.logger.WarnContext(ctx, "enqueue left to the reconciler", "error", err)
	}
}

func (o *overseer) cancel(ctx context.Context, a *Analysis) (bool, error) {
	if a.Status == job.Canceled {
		return false, nil
	}
	if a.Status.Final() {
		return false, refusal("it has ended already: " + string(a.Status))
	}
	ended, err := o.store.cancelSeen(ctx, a)
	if err != nil {
		return false, err
	}
	o.metrics.finished(&ended, false)
	publish(ctx, o.progress, o.logger, &ended)
	o.dropTask(ctx, queue.Ref{Queue: queueOf(a.NextTask), ID: taskID(a)})
	return true, nil
}

// dropTask tidies the queue up. A task that stays does no harm: its job does not want it any more.
func (o *overseer) dropTask(ctx context.Context, t queue.Ref) {
	err := o.looks.DeleteTask(t.Queue, t.ID)
	if err != nil && !errors.Is(err, asynq.ErrTaskNotFound) && !errors.Is(err, asynq.ErrQueueNotFound) {
		o.logger.DebugContext(ctx, "task left in the queue", "error", err)
	}
}

func (o *overseer) archive(ctx context.Context, a *Analysis) (bool, error) {
	switch {
	case a.archived():
		return false, nil
	case a.Status.Final():
		return false, refusal("it has ended already: " + string(a.Status))
	case a.Status == job.AwaitingUpload:
		return false, refusal("it has no task yet: it waits for its photo")
	}
	aside, err := o.store.putAside(ctx, a)
	if err != nil {
		return false, err
	}
	publish(ctx, o.progress, o.logger, &aside)
	if err := o.looks.ArchiveTask(queueOf(a.NextTask), taskID(a)); err != nil {
		o.logger.DebugContext(ctx, "task not archived", "error", err) // it runs: it will find nothing to do
	}
	return true, nil
}

// archivedTask is the id that the job's task had when the job was put aside.
func archivedTask(a *Analysis) string { return fmt.Sprintf("%s:%d", a.ID, a.Dispatch-1) }

func (o *overseer) remove(ctx context.Context, a *Analysis) (bool, error) {
	if !a.Status.Final() {
		return false, refusal("it is not finished: cancel it first")
	}
	upload, err := o.store.Upload(ctx, a.UserID, a.UploadID)
	if err != nil {
		return false, err
	}
	// The photos first: a row that is gone names none. What comes by the link later, the tidier finds.
	for _, key := range []string{photoKey(a.UserID, a.ID), upload.ObjectKey} {
		if err := o.objects.Delete(ctx, key); err != nil {
			return false, err
		}
	}
	removed, err := o.store.remove(ctx, a)
	if err != nil {
		return false, err
	}
	if !removed {
		return false, errNotOurs
	}
	o.dropTask(ctx, queue.Ref{Queue: queueOf(a.NextTask), ID: taskID(a)})
	return true, o.progress.Delete(ctx, a.ID)
}

// runNow moves the task that waits for its time to the queue; asynq keeps the time, not the row.
func (o *overseer) runNow(_ context.Context, a *Analysis) (bool, error) {
	if a.Status.Final() {
		return false, refusal("it has ended already: " + string(a.Status))
	}
	info, err := o.looks.GetTaskInfo(queueOf(a.NextTask), taskID(a))
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return false, refusal("it has no task that waits for its time")
	case err != nil:
		return false, fmt.Errorf("looking at the task: %w", err)
	}
	switch info.State {
	case asynq.TaskStateScheduled, asynq.TaskStateRetry:
		err := o.looks.RunTask(info.Queue, info.ID)
		if errors.Is(err, asynq.ErrTaskNotFound) {
			return false, errNotOurs
		}
		return err == nil, err
	case asynq.TaskStatePending, asynq.TaskStateActive:
		return false, nil
	default:
		return false, refusal("its task is " + info.State.String())
	}
}

func (o *overseer) repair(ctx context.Context, a *Analysis) (bool, error) {
	switch {
	case a.Status.Final():
		return false, refusal("it has ended already: " + string(a.Status))
	case a.archived():
		return false, refusal("it was put aside: retry it")
	case a.Status == job.AwaitingUpload:
		return false, refusal("it waits for its photo")
	}
	v, _, err := o.store.operatorJob(ctx, a.ID)
	if err != nil {
		return false, err
	}
	if v.Worker != "" && !v.Stalled {
		return false, nil // a worker has it
	}
	if v.Worker == "" {
		states, err := queue.States(ctx, o.jobs, v.tasks())
		if err != nil {
			return false, err
		}
		for _, s := range states {
			if s.Runs() && !v.Stalled {
				return false, nil
			}
		}
	}
	moved, err := o.store.repair(ctx, a, pickupCheck)
	if err != nil {
		return false, err
	}
	o.metrics.redispatched.WithLabelValues("operator").Inc()
	o.announce(ctx, &moved)
	return true, nil
}
