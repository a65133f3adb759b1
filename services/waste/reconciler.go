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
	"github.com/wastecoach/wastecoach/internal/progress"
)

// reconcilerLock is the advisory lock of the one leader ("wastereco" cut to 8 ASCII bytes).
const reconcilerLock = 0x7761737465726563

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
		for i := range due {
			if err := r.look(ctx, &due[i]); err != nil && !errors.Is(err, errNotOurs) {
				return fmt.Errorf("reconciling job %s: %w", due[i].ID, err)
			}
		}
		if len(due) < reconcileBatch {
			return nil
		}
	}
}

func (r *reconciler) look(ctx context.Context, a *Analysis) error {
	switch {
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
	case time.Now().After(u.ExpiresAt):
		expired, err := r.store.expire(ctx, a)
		if err == nil {
			r.metrics.finished(&expired, false)
			err = r.progress.Delete(ctx, a.ID)
		}
		return err
	default:
		return r.store.checkLater(ctx, a, uploadCheck)
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
	default:
		return r.redispatch(ctx, a, "task_stuck")
	}
}

// patience grows with the time that a job has waited, so that a long queue is not asked about again
// and again; it stays short enough that an emptied Redis costs seconds.
func patience(a *Analysis) time.Duration {
	return min(max(time.Since(a.UpdatedAt), pickupCheck), 3*pickupCheck)
}

// redispatch takes the job from whoever had it and enqueues its next task under a new id.
func (r *reconciler) redispatch(ctx context.Context, a *Analysis, reason string) error {
	moved, err := r.store.redispatch(ctx, a, pickupCheck)
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
	ctx context.Context, a *Analysis, check time.Duration,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'queued', worker = NULL,
			stage = CASE WHEN stage = 'upload' THEN 'queue' ELSE stage END,
			restarts = restarts + (worker IS NOT NULL)::int,
			dispatch = dispatch + 1, check_at = now() + make_interval(secs => $4),
			updated_at = now(), version = version + 10
		WHERE id = $1 AND version = $2 AND attempt = $3 AND check_at < now()
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt, seconds(check))
}

func (s *Store) expire(ctx context.Context, a *Analysis) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'expired', worker = NULL, check_at = NULL,
			updated_at = now(), finished_at = now(), version = version + 10
		WHERE id = $1 AND version = $2 AND attempt = $3 AND check_at IS NOT NULL
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt)
}
