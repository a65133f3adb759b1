package waste

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/progress"
)

// reconcilerLock is the advisory lock of the one leader ("wastereco" cut to 8 ASCII bytes).
const reconcilerLock = 0x7761737465726563

// taskDead is the reason that counts as a restart although no worker was lost.
const taskDead = "task_dead"

// reconcileBatch is how many jobs are looked at in one go.
const reconcileBatch = 200

// reconciler moves on the jobs that nobody else moves: whose photo has arrived, whose task is
// gone, whose worker has died. One leader runs it; a second one would do no harm.
type reconciler struct {
	store     *Store
	objects   *objectstore.Store
	progress  *progress.Store
	outbox    *outbox
	inspector *asynq.Inspector
	cfg       JobsConfig
	metrics   *metrics
	logger    *slog.Logger
}

// run reconciles until ctx ends. A fault is logged and the next round tries again.
func (r *reconciler) run(ctx context.Context) error {
	ticker := time.NewTicker(r.cfg.ReconcileInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := r.round(ctx); err != nil && ctx.Err() == nil {
			r.logger.WarnContext(ctx, "reconciling", "error", err)
		}
	}
}

func (r *reconciler) round(ctx context.Context) error {
	for {
		due, err := r.store.due(ctx, reconcileBatch)
		if err != nil {
			return err
		}
		var faults []error
		for i := range due {
			if err := r.lookOnce(ctx, &due[i]); err != nil {
				faults = append(faults, fmt.Errorf("reconciling job %s: %w", due[i].ID, err))
			}
		}
		if len(due) < reconcileBatch || len(faults) > 0 {
			return errors.Join(faults...)
		}
	}
}

// lookTimeout bounds the look at one job: a part that hangs must not hold up the others.
const lookTimeout = 5 * time.Second

// lookOnce puts a job that cannot be helped now behind the others.
func (r *reconciler) lookOnce(ctx context.Context, a *Analysis) error {
	bounded, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	err := r.look(bounded, a)
	if err == nil || errors.Is(err, errNotOurs) {
		return nil
	}
	if later := r.store.checkLater(ctx, a, patience(a)); !errors.Is(later, errNotOurs) {
		err = errors.Join(err, later)
	}
	return err
}

func (r *reconciler) look(ctx context.Context, a *Analysis) error {
	switch {
	case a.Restarts > maxRestarts, a.archived(): // no operator came for it
		return r.abandon(ctx, a)
	case a.Status == job.AwaitingUpload:
		return r.lookForUpload(ctx, a)
	case a.Worker != nil:
		return r.redispatch(ctx, a, "lease_expired")
	default:
		return r.lookForTask(ctx, a)
	}
}

func (r *reconciler) lookForUpload(ctx context.Context, a *Analysis) error {
	u, err := r.store.Upload(ctx, a.UserID, a.UploadID)
	if err != nil {
		return err
	}
	arrived, err := uploadArrived(ctx, r.objects, u)
	switch {
	case err != nil:
		return err
	case arrived:
		return r.redispatch(ctx, a, "upload_arrived")
	case time.Now().After(u.EndsAt):
		expired, err := r.store.expire(ctx, a)
		if err == nil {
			r.metrics.finished(&expired, false)
			err = r.progress.Delete(ctx, a.ID)
		}
		return err
	default:
		return r.store.checkLater(ctx, a, max(uploadCheck, time.Since(a.CreatedAt)/20))
	}
}

// lookForTask sends the job's task again under the same id, which is a no-op while it is queued.
// A task that is in Redis but will never run (archived, orphaned) gets a new id.
func (r *reconciler) lookForTask(ctx context.Context, a *Analysis) error {
	isNew, err := r.outbox.sendNew(ctx, a)
	if err != nil {
		return err
	}
	if isNew {
		r.metrics.redispatched.WithLabelValues("task_lost").Inc()
		return r.store.checkLater(ctx, a, patience(a))
	}
	info, err := r.inspector.GetTaskInfo(queueOf(a.NextTask), taskID(a))
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return r.store.checkLater(ctx, a, patience(a)) // it ended between the two questions
	}
	if err != nil {
		return fmt.Errorf("looking at the task: %w", err)
	}
	switch info.State {
	case asynq.TaskStatePending, asynq.TaskStateScheduled, asynq.TaskStateRetry:
		return r.store.checkLater(ctx, a, patience(a))
	case asynq.TaskStateArchived:
		return r.redispatch(ctx, a, taskDead)
	default:
		if a.NextTask == pipeline.Advise {
			return r.remind(ctx, a)
		}
		return r.redispatch(ctx, a, "task_stuck")
	}
}

// remind sends a second task to the recycling worker while the first seems to run. That worker's
// own lease tells whether it does; pollers see nothing of it.
func (r *reconciler) remind(ctx context.Context, a *Analysis) error {
	again, err := r.store.remind(ctx, a, patience(a))
	if err != nil {
		return err
	}
	return r.outbox.send(ctx, &again)
}

// abandon ends a job that keeps losing its tasks or its workers.
func (r *reconciler) abandon(ctx context.Context, a *Analysis) error {
	doc := errAbandoned.Document()
	doc.Instance, doc.RequestID = selfLink(a.ID), a.RequestID
	ended, err := r.store.abandon(ctx, a, doc)
	if err != nil {
		return err
	}
	r.metrics.finished(&ended, false)
	publish(ctx, r.progress, r.logger, &ended)
	return nil
}

// patience grows with the time that a job has waited, so that a long queue is not asked about again
// and again; it stays short enough that an emptied Redis costs seconds.
func patience(a *Analysis) time.Duration {
	return min(max(time.Since(a.UpdatedAt), pickupCheck), 3*pickupCheck)
}

// redispatch takes the job from whoever had it and enqueues its next task under a new id.
func (r *reconciler) redispatch(ctx context.Context, a *Analysis, reason string) error {
	moved, err := r.store.redispatch(ctx, a, reason == taskDead, pickupCheck)
	if err != nil {
		return err
	}
	r.metrics.redispatched.WithLabelValues(reason).Inc()
	publish(ctx, r.progress, r.logger, &moved)
	return r.outbox.send(ctx, &moved)
}

// due returns unfinished jobs whose check is over.
func (s *Store) due(ctx context.Context, limit int) ([]Analysis, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+analysisColumns+` FROM analyses
		WHERE check_at < now() ORDER BY check_at LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for due jobs: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Analysis])
}

// checkLater and the two below change a job only as it was seen: by version and attempt.
func (s *Store) checkLater(ctx context.Context, a *Analysis, check time.Duration) error {
	_, err := s.fenced(ctx, `UPDATE analyses SET check_at = now() + make_interval(secs => $4)
		WHERE id = $1 AND version = $2 AND attempt = $3 AND check_at IS NOT NULL
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt, seconds(check))
	return err
}

func (s *Store) redispatch(
	ctx context.Context, a *Analysis, countsAsRestart bool, check time.Duration,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'queued', worker = NULL,
			stage = CASE WHEN stage = 'upload' THEN 'queue' ELSE stage END,
			restarts = restarts + (worker IS NOT NULL OR $5)::int,
			dispatch = dispatch + 1, check_at = now() + make_interval(secs => $4),
			updated_at = now(), version = version + 10
		WHERE id = $1 AND version = $2 AND attempt = $3 AND check_at < now()
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt, seconds(check), countsAsRestart)
}

func (s *Store) remind(ctx context.Context, a *Analysis, check time.Duration) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET dispatch = dispatch + 1,
			check_at = now() + make_interval(secs => $4)
		WHERE id = $1 AND version = $2 AND dispatch = $3 AND check_at < now()
		RETURNING `+analysisColumns, a.ID, a.Version, a.Dispatch, seconds(check))
}

func (s *Store) abandon(
	ctx context.Context, a *Analysis, doc problem.Document,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'failed', error = $4, worker = NULL,
			check_at = NULL, updated_at = now(), finished_at = now(), version = version + 10
		WHERE id = $1 AND version = $2 AND attempt = $3 AND check_at < now()
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt, doc)
}

func (s *Store) expire(ctx context.Context, a *Analysis) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'expired', worker = NULL, check_at = NULL,
			lat = NULL, lng = NULL,
			updated_at = now(), finished_at = now(), version = version + 10
		WHERE id = $1 AND version = $2 AND attempt = $3 AND check_at IS NOT NULL
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt)
}
