package waste

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/operator"
)

// anyones returns a job whosever it is, or ErrJobNotFound.
func (s *Store) anyones(ctx context.Context, id uuid.UUID) (Analysis, error) {
	a, err := s.one(ctx, `SELECT `+analysisColumns+` FROM analyses WHERE id = $1`, id)
	if errors.Is(err, ErrAnalysisNotFound) {
		return Analysis{}, operator.ErrJobNotFound
	}
	return a, err
}

// The statements below change a job only as it was seen: by version, attempt and dispatch.
const asSeen = ` WHERE id = $1 AND version = $2 AND attempt = $3 AND dispatch = $4 `

// retryEnded makes a job unfinished again: its next task continues it from its last good stage.
func (s *Store) retryEnded(ctx context.Context, a *Analysis, check time.Duration) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET
			status = CASE WHEN stage = 'upload' THEN 'awaiting_upload' ELSE 'queued' END,
			error = NULL, tries = 0, worker = NULL, finished_at = NULL,
			restarts = CASE WHEN restarts < $6 THEN restarts + 1 ELSE 0 END,
			dispatch = dispatch + 1, check_at = now() + make_interval(secs => $5),
			updated_at = now(), version = version + 10`+asSeen+`
			AND (status IN ('failed', 'canceled') OR `+archivedSQL+`)
		RETURNING `+analysisColumns,
		a.ID, a.Version, a.Attempt, a.Dispatch, seconds(check), maxRestarts)
}

// hasPhoto tells whether a job can begin again: it has its prepared photo, or is past it, or the
// original is still there.
func (s *Store) hasPhoto(ctx context.Context, a *Analysis) (bool, error) {
	if a.PhotoKey != nil || a.Verdict != nil {
		return true, nil
	}
	var has bool
	err := s.pool.QueryRow(ctx, `SELECT original_deleted_at IS NULL FROM uploads WHERE id = $1`,
		a.UploadID).Scan(&has)
	if err != nil {
		return false, fmt.Errorf("looking for the photo of job %s: %w", a.ID, err)
	}
	return has, nil
}

func (s *Store) cancelSeen(ctx context.Context, a *Analysis) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'canceled', check_at = NULL, worker = NULL,
			version = version + 10, updated_at = now(), finished_at = now()`+asSeen+`
			AND check_at IS NOT NULL
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt, a.Dispatch)
}

// putAside takes a job from whoever has it. The reconciler looks at it on its last day.
func (s *Store) putAside(ctx context.Context, a *Analysis) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'queued', worker = NULL, check_at = expires_at,
			attempt = attempt + 1, dispatch = dispatch + 1,
			updated_at = now(), version = version + 10`+asSeen+`
			AND status IN ('queued', 'processing')
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt, a.Dispatch)
}

// repair takes a job from a worker that is silent, if it has one, and gives it a new task.
func (s *Store) repair(ctx context.Context, a *Analysis, check time.Duration) (Analysis, error) {
	return s.fenced(ctx, `UPDATE analyses SET status = 'queued', worker = NULL,
			restarts = restarts + (worker IS NOT NULL)::int,
			dispatch = dispatch + 1, check_at = now() + make_interval(secs => $5),
			updated_at = now(), version = version + 10`+asSeen+`
			AND status IN ('queued', 'processing') AND (worker IS NULL OR check_at < now())
		RETURNING `+analysisColumns, a.ID, a.Version, a.Attempt, a.Dispatch, seconds(check))
}

// remove deletes an ended job. Its upload stays until nothing more can come by its link.
func (s *Store) remove(ctx context.Context, a *Analysis) (bool, error) {
	tag, err := s.pool.Exec(ctx, `DELETE FROM analyses `+asSeen+` AND check_at IS NULL`,
		a.ID, a.Version, a.Attempt, a.Dispatch)
	if err != nil {
		return false, fmt.Errorf("deleting job %s: %w", a.ID, err)
	}
	return tag.RowsAffected() > 0, nil
}

// noteActions keeps what an operator did, or was refused.
func (s *Store) noteActions(ctx context.Context, kind, actor string, done []operator.Outcome) error {
	var subjects []string
	var refused []*string
	for _, o := range done {
		if !o.Changed && o.Error == "" {
			continue
		}
		subjects, refused = append(subjects, o.Subject), append(refused, nil)
		if o.Error != "" {
			refused[len(refused)-1] = &o.Error
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	_, err := s.pool.Exec(ctx, `INSERT INTO operator_actions (at, kind, subject, actor, refused)
		SELECT now(), $1, subject, $2, refused
		FROM unnest($3::text[], $4::text[]) AS done (subject, refused)`, kind, actor, subjects, refused)
	if err != nil {
		return fmt.Errorf("noting what an operator did: %w", err)
	}
	return nil
}
