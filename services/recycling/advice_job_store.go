package recycling

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
)

const jobColumns = `id, request_hash, item_id, region, locale, attempt, dispatch, advice, error,
	created_at, updated_at, advice IS NULL AND error IS NULL AND dispatched_at < now() - $1::interval
		AND (lease_until IS NULL OR lease_until < now())`

func scanJob(row pgx.Row, more ...any) (adviceJob, error) {
	var j adviceJob
	err := row.Scan(append([]any{
		&j.ID, &j.hash, &j.wish.ItemID, &j.wish.Region, &j.wish.Locale, &j.attempt, &j.dispatch,
		&j.advice, &j.failure, &j.createdAt, &j.updatedAt, &j.overdue,
	}, more...)...)
	j.createdAt, j.updatedAt = j.createdAt.UTC(), j.updatedAt.UTC()
	return j, err
}

// openJob returns the unfinished job of that key, or makes it; fresh tells which.
func (s *store) openJob(ctx context.Context, key string, w wish) (j adviceJob, fresh bool, err error) {
	id, err := uuid.NewV7()
	if err != nil {
		return j, false, fmt.Errorf("making a job id: %w", err)
	}
	hash := sha256.Sum256([]byte(key))
	// The update changes nothing; it is what makes the statement return the row that is there.
	j, err = scanJob(s.pool.QueryRow(ctx, `
		INSERT INTO advice_jobs AS j (id, request_hash, flight, item_id, region, locale,
			attempt, worker, dispatch, dispatched_at, created_at, updated_at)
		VALUES ($2, $3, $4, $5, $6, $7, 0, '', 1, now(), now(), now())
		ON CONFLICT (flight) WHERE flight IS NOT NULL AND advice IS NULL AND error IS NULL
			DO UPDATE SET flight = j.flight
		RETURNING `+jobColumns+`, id = $2`,
		dispatchAfter, id, hash[:], key, w.ItemID, w.Region, w.Locale), &fresh)
	if err != nil {
		return j, false, fmt.Errorf("opening a job for %s: %w", w.ItemID, err)
	}
	j.wish.RequestID = w.RequestID
	return j, fresh, nil
}

// adviceJob reads a job of POST /advice; those of analyses are not found.
func (s *store) adviceJob(ctx context.Context, id uuid.UUID) (adviceJob, error) {
	j, err := scanJob(s.pool.QueryRow(ctx, "SELECT "+jobColumns+
		" FROM advice_jobs WHERE id = $2 AND flight IS NOT NULL", dispatchAfter, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return j, errJobNotFound
	}
	if err != nil {
		return j, fmt.Errorf("reading job %s: %w", id, err)
	}
	return j, nil
}

// redispatch counts one more dispatch of a job that nobody works on; of many callers one succeeds.
func (s *store) redispatch(ctx context.Context, id uuid.UUID) (dispatch int, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `
		UPDATE advice_jobs SET dispatch = dispatch + 1, dispatched_at = now()
		WHERE id = $1 AND advice IS NULL AND error IS NULL AND dispatched_at < now() - $2::interval
			AND (lease_until IS NULL OR lease_until < now())
		RETURNING dispatch`, id, dispatchAfter).Scan(&dispatch)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, fmt.Errorf("dispatching job %s again: %w", id, err)
	}
	return dispatch, true, nil
}

// failJob ends a job that no try can fulfill.
func (s *store) failJob(ctx context.Context, c claim, code string) error {
	return s.fenced(ctx, "failing", c, `
		UPDATE advice_jobs SET error = $3, lease_until = NULL, updated_at = now()
		WHERE id = $1 AND attempt = $2 AND advice IS NULL`, code)
}
