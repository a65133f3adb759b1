package waste

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/progress"
)

const (
	tidyInterval = 2 * time.Second
	tidyBatch    = 20
	tidyTimeout  = 15 * time.Second // for one photo
	// tombstones is how long an erased job still answers 410 instead of 404.
	tombstones = 30 * 24 * time.Hour
)

// tidier removes what must not stay: originals, which may tell a place and a name, once their job
// has ended, and everything of a job whose time is over.
type tidier struct {
	store      *Store
	objects    *objectstore.Store
	progress   *progress.Store
	normalizer *photo.Normalizer
	limits     photo.Limits
	logger     *slog.Logger
}

func (t *tidier) run(ctx context.Context) error {
	ticker := time.NewTicker(tidyInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		err := errors.Join(t.removeOriginals(ctx), t.expireJobs(ctx), t.store.forget(ctx),
			t.store.foldCounts(ctx))
		if err != nil && ctx.Err() == nil {
			t.logger.WarnContext(ctx, "tidying", "error", err)
		}
	}
}

// leftover is an original that is not needed any more.
type leftover struct {
	UploadID  uuid.UUID
	ObjectKey string
	// WantsPhoto is the succeeded job that has no photo yet: the cache answered it unseen.
	WantsPhoto *uuid.UUID
	UserID     uuid.UUID
}

func (t *tidier) removeOriginals(ctx context.Context) error {
	for {
		list, err := t.store.leftovers(ctx, tidyBatch)
		if err != nil {
			return err
		}
		for _, l := range list {
			if err := t.removeOriginal(ctx, l); err != nil {
				return err
			}
		}
		if len(list) < tidyBatch {
			return nil
		}
	}
}

func (t *tidier) removeOriginal(ctx context.Context, l leftover) error {
	ctx, cancel := context.WithTimeout(ctx, tidyTimeout)
	defer cancel()
	if l.WantsPhoto != nil {
		if err := t.keepPhoto(ctx, l); err != nil {
			return err
		}
	}
	if err := t.objects.Delete(ctx, l.ObjectKey); err != nil {
		return err
	}
	return t.store.originalDeleted(ctx, l.UploadID)
}

// keepPhoto makes the metadata-free photo of a job that the cache answered. A photo that cannot
// be read is not kept.
func (t *tidier) keepPhoto(ctx context.Context, l leftover) error {
	original, err := t.objects.Get(ctx, l.ObjectKey, t.limits.MaxBytes)
	if errors.Is(err, objectstore.ErrNotFound) || errors.Is(err, objectstore.ErrTooLarge) {
		return nil
	}
	if err != nil {
		return err
	}
	key := photoKey(l.UserID, *l.WantsPhoto)
	kept, err := keepPhoto(ctx, t.normalizer, t.objects, key, original)
	if isPhotoFault(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.store.setPhoto(ctx, *l.WantsPhoto, kept.Key, kept.Mark)
}

func (t *tidier) expireJobs(ctx context.Context) error {
	list, err := t.store.outlived(ctx, tidyBatch)
	if err != nil {
		return err
	}
	for id, user := range list {
		// Whether or not the row has come to know of it: a canceled job may have a photo, too.
		if err := t.objects.Delete(ctx, photoKey(user, id)); err != nil {
			return err
		}
		if err := t.store.erase(ctx, id); err != nil {
			return err
		}
		if err := t.progress.Delete(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// leftovers are originals of ended jobs and of uploads that nobody used. One deleted while a PUT
// could still bring it back is looked at again after that.
func (s *Store) leftovers(ctx context.Context, limit int) ([]leftover, error) {
	rows, err := s.pool.Query(ctx, `SELECT u.id, u.object_key,
			CASE WHEN a.status = 'succeeded' AND a.photo_key IS NULL
				AND u.original_deleted_at IS NULL THEN a.id END, u.user_id
		FROM uploads u LEFT JOIN analyses a ON a.upload_id = u.id
		WHERE (u.original_deleted_at IS NULL OR u.original_deleted_at < u.upload_ends_at)
			AND a.check_at IS NULL
			AND (u.upload_ends_at < now() OR a.id IS NOT NULL AND u.original_deleted_at IS NULL)
		LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for originals: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[leftover])
}

func (s *Store) originalDeleted(ctx context.Context, upload uuid.UUID) error {
	_, err := s.pool.Exec(ctx,
		`UPDATE uploads SET original_deleted_at = now() WHERE id = $1`, upload)
	if err != nil {
		return fmt.Errorf("noting the deletion of upload %s: %w", upload, err)
	}
	return nil
}

func (s *Store) setPhoto(ctx context.Context, id uuid.UUID, key, fingerprint string) error {
	_, err := s.pool.Exec(ctx, `UPDATE analyses SET photo_key = $2, fingerprint = $3
		WHERE id = $1 AND photo_key IS NULL`, id, key, fingerprint)
	if err != nil {
		return fmt.Errorf("noting the photo of job %s: %w", id, err)
	}
	return nil
}

// outlived maps ended jobs whose time is over to their users.
func (s *Store) outlived(ctx context.Context, limit int) (map[uuid.UUID]uuid.UUID, error) {
	rows, err := s.pool.Query(ctx, `SELECT id, user_id FROM analyses
		WHERE expires_at < now() AND status <> 'expired' AND check_at IS NULL
		LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("looking for outlived jobs: %w", err)
	}
	list := map[uuid.UUID]uuid.UUID{}
	var id, user uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&id, &user}, func() error {
		list[id] = user
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking for outlived jobs: %w", err)
	}
	return list, nil
}

// erase leaves of a job only that it was there and is over.
func (s *Store) erase(ctx context.Context, id uuid.UUID) error {
	_, err := s.pool.Exec(ctx, `WITH said AS (DELETE FROM feedback WHERE analysis_id = $1)
		UPDATE analyses SET status = 'expired', result = NULL, error = NULL,
			verdict = NULL, advice = NULL, lat = NULL, lng = NULL, photo_key = NULL,
			steps = '[]', try_error = NULL, fingerprint = NULL, version = version + 10, updated_at = now()
		WHERE id = $1 AND check_at IS NULL`, id)
	if err != nil {
		return fmt.Errorf("erasing job %s: %w", id, err)
	}
	return nil
}

// forget removes the rows that tell nothing any more: uploads that nobody used, and jobs erased
// long ago.
func (s *Store) forget(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `WITH old AS (
			DELETE FROM analyses WHERE status = 'expired'
				AND updated_at < now() - make_interval(secs => $1) RETURNING upload_id)
		DELETE FROM uploads u WHERE u.id IN (SELECT upload_id FROM old)`, seconds(tombstones))
	if err != nil {
		return fmt.Errorf("forgetting erased jobs: %w", err)
	}
	_, err = s.pool.Exec(ctx, `DELETE FROM uploads u WHERE u.upload_ends_at < now()
		AND u.original_deleted_at >= u.upload_ends_at
		AND NOT EXISTS (SELECT FROM analyses a WHERE a.upload_id = u.id)`)
	if err != nil {
		return fmt.Errorf("forgetting unused uploads: %w", err)
	}
	_, err = s.pool.Exec(ctx, `DELETE FROM operator_actions
		WHERE at < now() - make_interval(secs => $1)`, seconds(tombstones))
	if err != nil {
		return fmt.Errorf("forgetting old actions of operators: %w", err)
	}
	return nil
}
