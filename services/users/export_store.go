package users

import (
	"context"
	"errors"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
)

const exportColumns = `id, user_id, locale, status, progress, attempt, size, photos, created_at,
	updated_at, finished_at, expires_at`

// BeginExport makes an export in place of one that has ended, or returns the one under way. There
// is none for a user who is being erased; see isMissing.
func (s *Store) BeginExport(
	ctx context.Context, id, user uuid.UUID, kept time.Duration,
) (Export, error) {
	e, err := s.export(ctx, "beginning an export", `
		INSERT INTO exports AS e
			(id, user_id, locale, status, check_at, created_at, updated_at, expires_at)
		SELECT $1::uuid, $2::uuid,
			COALESCE((SELECT locale FROM profiles WHERE user_id = $2), 'ko'), 'queued', now(), now(),
			now(), now() + make_interval(secs => $3)
		WHERE NOT EXISTS (SELECT FROM deletions WHERE user_id = $2)
		ON CONFLICT (user_id) DO UPDATE SET
			id = excluded.id, locale = excluded.locale, status = 'queued', progress = 0, attempt = 0,
			size = NULL, photos = NULL, check_at = now(), created_at = now(), updated_at = now(),
			finished_at = NULL, expires_at = excluded.expires_at
		WHERE e.status NOT IN ('queued', 'processing')
		RETURNING `+exportColumns, id, user, kept.Seconds())
	if isMissing(err) {
		return s.Export(ctx, user)
	}
	return e, err
}

// Export returns a user's newest export; see isMissing.
func (s *Store) Export(ctx context.Context, user uuid.UUID) (Export, error) {
	return s.export(ctx, "reading an export",
		`SELECT `+exportColumns+` FROM exports WHERE user_id = $1`, user)
}

// claimExport takes the export that waits longest, for as long as the lease; see isMissing.
func (s *Store) claimExport(ctx context.Context, lease time.Duration) (Export, error) {
	return s.export(ctx, "taking an export", `
		UPDATE exports SET status = 'processing', attempt = attempt + 1, updated_at = now(),
			check_at = now() + make_interval(secs => $1)
		WHERE id = (SELECT id FROM exports
			WHERE check_at <= now() AND status IN ('queued', 'processing')
			ORDER BY check_at LIMIT 1 FOR UPDATE SKIP LOCKED)
		RETURNING `+exportColumns, lease.Seconds())
}

// errSuperseded says that the export was taken by another attempt, or erased.
var errSuperseded = errors.New("the export belongs to another attempt")

// exportMoved shows progress and keeps the lease.
func (s *Store) exportMoved(
	ctx context.Context, e *Export, progress int, lease time.Duration,
) error {
	return s.fenced(ctx, "moving an export on", `UPDATE exports
		SET progress = GREATEST(progress, $3), updated_at = now(),
			check_at = now() + make_interval(secs => $4)
		WHERE id = $1 AND attempt = $2 AND status = 'processing'`,
		e.ID, e.Attempt, progress, lease.Seconds())
}

func (s *Store) exportDone(
	ctx context.Context, e *Export, size int64, photos int, kept time.Duration,
) error {
	return s.fenced(ctx, "ending an export", `UPDATE exports
		SET status = 'succeeded', progress = 100, size = $3, photos = $4, updated_at = now(),
			finished_at = now(), expires_at = now() + make_interval(secs => $5),
			check_at = now() + make_interval(secs => $5)
		WHERE id = $1 AND attempt = $2 AND status = 'processing'`,
		e.ID, e.Attempt, size, photos, kept.Seconds())
}

// exportBroke says when to try again, or ends the export where it was tried often enough.
func (s *Store) exportBroke(
	ctx context.Context, e *Export, again time.Duration, last bool,
) error {
	return s.fenced(ctx, "putting off an export", `UPDATE exports
		SET status = CASE WHEN $4 THEN 'failed' ELSE 'queued' END, updated_at = now(),
			finished_at = CASE WHEN $4 THEN now() END,
			check_at = CASE WHEN NOT $4 THEN now() + make_interval(secs => $3) END
		WHERE id = $1 AND attempt = $2 AND status = 'processing'`,
		e.ID, e.Attempt, again.Seconds(), last)
}

// outlivedExports are finished ones whose time is over.
func (s *Store) outlivedExports(ctx context.Context, limit int) ([]Export, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+exportColumns+` FROM exports
		WHERE check_at <= now() AND status = 'succeeded' ORDER BY check_at LIMIT $1`, limit)
	if err != nil {
		return nil, fault("looking for outlived exports", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Export])
	return list, fault("looking for outlived exports", err)
}

func (s *Store) exportExpired(ctx context.Context, id uuid.UUID) error {
	_, err := s.pool.Exec(ctx, `UPDATE exports
		SET status = 'expired', check_at = NULL, updated_at = now()
		WHERE id = $1 AND status = 'succeeded'`, id)
	return fault("expiring an export", err)
}

func (s *Store) fenced(ctx context.Context, act, sql string, args ...any) error {
	tag, err := s.pool.Exec(ctx, sql, args...)
	if err == nil && tag.RowsAffected() == 0 {
		return errSuperseded
	}
	return fault(act, err)
}

func (s *Store) export(ctx context.Context, act, sql string, args ...any) (Export, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return Export{}, fault(act, err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Export])
	return e, fault(act, err)
}
