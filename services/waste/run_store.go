package waste

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/operator"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/vision"
)

// errNotOurs says that a worker has lost, or never had, the right to a job: it changes nothing.
var errNotOurs = errors.New("the job belongs to another attempt")

// anyDispatch claims whatever task the job has come to.
const anyDispatch = -1

// claim gives a job to a worker. A redelivered, outdated or duplicated task gets errNotOurs.
func (s *Store) claim(
	ctx context.Context, ref pipeline.JobRef, task, worker string, lease time.Duration,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'processing', attempt = attempt + 1,
			worker = $4, check_at = now() + make_interval(secs => $5),
			stage = CASE WHEN stage = 'queue' THEN 'fetch' ELSE stage END,
			started_at = COALESCE(started_at, now()), updated_at = now(), version = version + 10
		WHERE id = $1 AND ($2 < 0 OR dispatch = $2) AND next_task = $3 AND check_at IS NOT NULL
			AND (worker IS NULL OR check_at < now())
		RETURNING `+analysisColumns,
		ref.JobID, ref.Dispatch, task, worker, seconds(lease))
}

// claimAdvised takes the job back from the recycling worker and keeps what it wrote.
func (s *Store) claimAdvised(
	ctx context.Context, id uuid.UUID, advice pipeline.Advice, worker string, lease time.Duration,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET next_task = 'waste:complete',
			status = 'processing', attempt = attempt + 1,
			dispatch = dispatch + 1, advice = $2, advice_at = now(), tries = 0,
			worker = $3, check_at = now() + make_interval(secs => $4),
			progress = GREATEST(progress, 80), stage = 'location',
			updated_at = now(), version = version + 10
		WHERE id = $1 AND next_task = 'recycling:advise' AND status IN ('queued', 'processing')
			AND NOT `+archivedSQL+`
		RETURNING `+analysisColumns, id, advice, worker, seconds(lease))
}

// renew keeps a claimed job for another lease.
func (s *Store) renew(ctx context.Context, a *Analysis, lease time.Duration) error {
	_, err := s.fenced(ctx, `UPDATE analyses SET check_at = now() + make_interval(secs => $3)
		WHERE id = $1 AND attempt = $2 AND status = 'processing' AND worker IS NOT NULL
		RETURNING `+analysisColumns, a.ID, a.Attempt, seconds(lease))
	return err
}

// step is what a worker has to say about a claimed job; nil fields stay as they are.
type step struct {
	Progress    int
	Stage       job.Stage
	PhotoKey    *string
	Fingerprint *string
}

func (s *Store) advance(
	ctx context.Context, a *Analysis, st step, lease time.Duration,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET progress = GREATEST(progress, $3), stage = $4,
			photo_key = COALESCE($5, photo_key), fingerprint = COALESCE($6, fingerprint),
			check_at = now() + make_interval(secs => $7),
			updated_at = now(), version = version + 10
		WHERE id = $1 AND attempt = $2 AND status = 'processing'
		RETURNING `+analysisColumns,
		a.ID, a.Attempt, st.Progress, st.Stage, st.PhotoKey, st.Fingerprint, seconds(lease))
}

// handOver keeps the verdict (the vision model is paid for once) and gives the job to the
// recycling worker, who has until the check to bring it back.
func (s *Store) handOver(
	ctx context.Context, a *Analysis, v vision.Verdict, cached bool, check time.Duration,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET next_task = 'recycling:advise', verdict = $3,
			verdict_at = COALESCE(verdict_at, now()),
			verdict_cached = verdict_cached OR $5, dispatch = dispatch + 1, tries = 0,
			worker = NULL, check_at = now() + make_interval(secs => $4),
			progress = GREATEST(progress, 60), stage = 'advice',
			updated_at = now(), version = version + 10
		WHERE id = $1 AND attempt = $2 AND status = 'processing'
		RETURNING `+analysisColumns, a.ID, a.Attempt, v, seconds(check), cached)
}

// answeredAs notes whose answer a photo gets, so that near-same photos count as one.
func (s *Store) answeredAs(ctx context.Context, a *Analysis, photo []byte) error {
	_, err := s.fenced(ctx, `UPDATE analyses SET same_as = $3
		WHERE id = $1 AND attempt = $2 AND status = 'processing'
		RETURNING `+analysisColumns, a.ID, a.Attempt, photo)
	return err
}

// succeed stores the answer and ends the job.
func (s *Store) succeed(
	ctx context.Context, a *Analysis, r pipeline.Result,
) (Analysis, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return Analysis{}, err
	}
	return s.fenced(ctx, `UPDATE analyses SET status = 'succeeded', progress = 100, stage = 'done',
			result = $3, verdict = $4, advice = $5, worker = NULL, check_at = NULL,
			updated_at = now(), finished_at = now(), version = version + 10
		WHERE id = $1 AND attempt = $2 AND status = 'processing'
		RETURNING `+analysisColumns, a.ID, a.Attempt, body, r.Vision, r.Advice)
}

// fail ends the job with an error for its user, and another for operators.
func (s *Store) fail(
	ctx context.Context, a *Analysis, doc problem.Document, why operator.JobError,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'failed', error = $3, try_error = $4,
			worker = NULL, check_at = NULL, updated_at = now(), finished_at = now(), version = version + 10
		WHERE id = $1 AND attempt = $2 AND status = 'processing'
		RETURNING `+analysisColumns, a.ID, a.Attempt, doc, why)
}

// release gives a claimed job back: its task runs again, by itself or by the reconciler after check. It
// counts as a try where there is a reason.
func (s *Store) release(
	ctx context.Context, a *Analysis, why *operator.JobError, check time.Duration,
) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'queued', worker = NULL,
			tries = tries + ($3::jsonb IS NOT NULL)::int, try_error = COALESCE($3, try_error),
			restarts = restarts + 1, check_at = now() + make_interval(secs => $4),
			updated_at = now(), version = version + 10
		WHERE id = $1 AND attempt = $2 AND status = 'processing'
		RETURNING `+analysisColumns, a.ID, a.Attempt, why, seconds(check))
}

func (s *Store) fenced(ctx context.Context, sql string, args ...any) (Analysis, error) {
	a, err := s.one(ctx, sql, args...)
	if errors.Is(err, ErrAnalysisNotFound) {
		return Analysis{}, errNotOurs
	}
	return a, err
}
