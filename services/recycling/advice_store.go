package recycling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/pipeline"
)

var (
	// errLeased tells that another worker has the job.
	errLeased = errors.New("another worker has the job")
	// errLeaseLost tells that another worker took the job over.
	errLeaseLost = errors.New("the lease is lost")
)

// claim is one worker's hold on a job; attempt fences its writes.
type claim struct {
	job     uuid.UUID
	attempt int
	// advice is there when an earlier attempt got that far.
	advice *pipeline.Advice
}

// claimJob takes a job that nobody holds. A job asked for anew with another request forgets its
// advice. It returns errLeased while another worker holds the job.
func (s *store) claimJob(
	ctx context.Context, job uuid.UUID, requestHash []byte, worker string, lease time.Duration,
) (claim, error) {
	c := claim{job: job}
	err := s.pool.QueryRow(ctx, `
		INSERT INTO advice_jobs AS j
			(id, request_hash, worker, lease_until, created_at, updated_at)
		VALUES ($1, $2, $3, now() + $4::interval, now(), now())
		ON CONFLICT (id) DO UPDATE SET
			attempt = j.attempt + 1, worker = $3, updated_at = now(), request_hash = $2,
			lease_until = CASE WHEN j.advice IS NULL OR j.request_hash <> $2
				THEN now() + $4::interval END,
			item_id = CASE WHEN j.request_hash = $2 THEN j.item_id END,
			advice = CASE WHEN j.request_hash = $2 THEN j.advice END,
			advised_at = CASE WHEN j.request_hash = $2 THEN j.advised_at END
		WHERE j.lease_until IS NULL OR j.lease_until < now()
		RETURNING attempt, advice`, job, requestHash, worker, lease).Scan(&c.attempt, &c.advice)
	if errors.Is(err, pgx.ErrNoRows) {
		return c, errLeased
	}
	if err != nil {
		return c, fmt.Errorf("claiming job %s: %w", job, err)
	}
	return c, nil
}

func (s *store) renewLease(ctx context.Context, c claim, lease time.Duration) error {
	return s.fenced(ctx, "renewing the lease of", c, `
		UPDATE advice_jobs SET lease_until = now() + $3::interval
		WHERE id = $1 AND attempt = $2 AND advice IS NULL`, lease)
}

// commitAdvice is the checkpoint: what is committed here is never paid for again.
func (s *store) commitAdvice(ctx context.Context, c claim, advice pipeline.Advice) error {
	return s.fenced(ctx, "storing the advice of", c, `
		UPDATE advice_jobs SET advice = $3, advised_at = now(), item_id = $4,
			lease_until = NULL, updated_at = now()
		WHERE id = $1 AND attempt = $2 AND advice IS NULL`, advice, advice.ItemID)
}

// releaseJob lets the next worker take the job at once.
func (s *store) releaseJob(ctx context.Context, c claim) error {
	return s.fenced(ctx, "releasing", c, `
		UPDATE advice_jobs SET lease_until = NULL, updated_at = now()
		WHERE id = $1 AND attempt = $2 AND advice IS NULL`)
}

func (s *store) fenced(ctx context.Context, act string, c claim, sql string, args ...any) error {
	tag, err := s.pool.Exec(ctx, sql, append([]any{c.job, c.attempt}, args...)...)
	if err != nil {
		return fmt.Errorf("%s job %s: %w", act, c.job, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("%s job %s: %w", act, c.job, errLeaseLost)
	}
	return nil
}

// forgetJobs deletes the jobs that nobody asked for since retention and returns how many.
func (s *store) forgetJobs(ctx context.Context, retention time.Duration) (int64, error) {
	tag, err := s.pool.Exec(ctx, "DELETE FROM advice_jobs WHERE updated_at < now() - $1::interval", retention)
	if err != nil {
		return 0, fmt.Errorf("forgetting old jobs: %w", err)
	}
	return tag.RowsAffected(), nil
}
