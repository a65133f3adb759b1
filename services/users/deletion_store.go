package users

import (
	"context"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
)

const deletionColumns = `id, user_id, locale, progress, passes, next_pass_at, faults, erased,
	remaining, created_at, updated_at, erased_at, finished_at`

// BeginDeletion makes a deletion in the language of the user's profile, or finds the one that goes
// on, which is not new.
func (s *Store) BeginDeletion(
	ctx context.Context, id, user uuid.UUID,
) (d Deletion, isNew bool, err error) {
	d, err = s.deletion(ctx, "beginning a deletion", `
		INSERT INTO deletions (id, user_id, locale, next_pass_at, created_at, updated_at)
		VALUES ($1, $2, COALESCE((SELECT locale FROM profiles WHERE user_id = $2), 'ko'),
			now(), now(), now())
		ON CONFLICT (user_id) DO NOTHING
		RETURNING `+deletionColumns, id, user)
	if !isMissing(err) {
		return d, err == nil, err
	}
	d, err = s.deletion(ctx, "finding a deletion",
		`SELECT `+deletionColumns+` FROM deletions WHERE user_id = $1`, user)
	return d, false, err
}

// Deletion returns a deletion; see isMissing.
func (s *Store) Deletion(ctx context.Context, id uuid.UUID) (Deletion, error) {
	return s.deletion(ctx, "reading a deletion",
		`SELECT `+deletionColumns+` FROM deletions WHERE id = $1`, id)
}

// IsErased tells whether the user's deletion goes on.
func (s *Store) IsErased(ctx context.Context, user uuid.UUID) (bool, error) {
	var erased bool
	err := s.pool.QueryRow(ctx,
		`SELECT EXISTS (SELECT FROM deletions WHERE user_id = $1)`, user).Scan(&erased)
	return erased, fault("looking for a deletion", err)
}

// dueDeletions are those whose next pass is due, oldest first.
func (s *Store) dueDeletions(ctx context.Context, limit int) ([]Deletion, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+deletionColumns+` FROM deletions
		WHERE next_pass_at <= now() ORDER BY next_pass_at LIMIT $1`, limit)
	if err != nil {
		return nil, fault("looking for due deletions", err)
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Deletion])
	return due, fault("looking for due deletions", err)
}

// noteErased keeps what has been erased so far, in this pass and before.
func (s *Store) noteErased(
	ctx context.Context, id uuid.UUID, erased erasure.Counts, progress int,
) error {
	_, err := s.pool.Exec(ctx, `UPDATE deletions
		SET erased = $2, progress = GREATEST(progress, $3), updated_at = now()
		WHERE id = $1 AND finished_at IS NULL`, id, erased, progress)
	return fault("noting what was erased", err)
}

// passDone says when to look again.
func (s *Store) passDone(ctx context.Context, id uuid.UUID, next time.Duration) error {
	_, err := s.pool.Exec(ctx, `UPDATE deletions
		SET passes = passes + 1, faults = 0, progress = 90, erased_at = COALESCE(erased_at, now()),
			next_pass_at = now() + make_interval(secs => $2), updated_at = now()
		WHERE id = $1 AND finished_at IS NULL`, id, next.Seconds())
	return fault("ending a pass", err)
}

// passBroke says when to try the pass again.
func (s *Store) passBroke(ctx context.Context, id uuid.UUID, next time.Duration) error {
	_, err := s.pool.Exec(ctx, `UPDATE deletions
		SET faults = faults + 1, next_pass_at = now() + make_interval(secs => $2), updated_at = now()
		WHERE id = $1 AND finished_at IS NULL`, id, next.Seconds())
	return fault("putting off a pass", err)
}

// finishDeletion keeps the proof and forgets whom it is about.
func (s *Store) finishDeletion(
	ctx context.Context, id uuid.UUID, remaining erasure.Counts,
) error {
	_, err := s.pool.Exec(ctx, `UPDATE deletions
		SET user_id = NULL, next_pass_at = NULL, passes = passes + 1, faults = 0, progress = 100,
			remaining = $2, finished_at = now(), updated_at = now()
		WHERE id = $1 AND finished_at IS NULL`, id, remaining)
	return fault("finishing a deletion", err)
}

// forgetDeletions drops receipts that nobody needs any more.
func (s *Store) forgetDeletions(ctx context.Context, kept time.Duration) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM deletions
		WHERE finished_at < now() - make_interval(secs => $1)`, kept.Seconds())
	return fault("forgetting old deletions", err)
}

func (s *Store) deletion(ctx context.Context, act, sql string, args ...any) (Deletion, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return Deletion{}, fault(act, err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Deletion])
	return d, fault(act, err)
}
