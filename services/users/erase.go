package users

import (
	"context"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/objectstore"
)

// eraser knows what this service itself holds of a user. The journal is not among it: it forgets the
// user when the deletion ends.
type eraser struct {
	store   *Store
	objects *objectstore.Store
}

const exportObjects = "s3:exports"

func exportPrefix(user uuid.UUID) string { return "exports/" + user.String() + "/" }

// Erase implements erasure.Holder. The rows go first: an export whose row is gone is given up.
func (e *eraser) Erase(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	counts, err := e.store.eraseUser(ctx, r.UserID)
	if err != nil {
		return erasure.Report{}, err
	}
	counts[exportObjects], err = e.objects.DeletePrefix(ctx, exportPrefix(r.UserID))
	return erasure.Report{Counts: counts}, err
}

// Left implements erasure.Holder.
func (e *eraser) Left(ctx context.Context, r erasure.Request) (erasure.Report, error) {
	counts, err := e.store.leftOfUser(ctx, r.UserID)
	if err != nil {
		return erasure.Report{}, err
	}
	counts[exportObjects], err = e.objects.CountPrefix(ctx, exportPrefix(r.UserID))
	return erasure.Report{Counts: counts}, err
}

func (s *Store) eraseUser(ctx context.Context, user uuid.UUID) (erasure.Counts, error) {
	return s.counts(ctx, "erasing a profile", `WITH
			p AS (DELETE FROM profiles WHERE user_id = $1 RETURNING 1),
			e AS (DELETE FROM exports WHERE user_id = $1 RETURNING 1)
		SELECT (SELECT count(*) FROM p), (SELECT count(*) FROM e)`, user)
}

func (s *Store) leftOfUser(ctx context.Context, user uuid.UUID) (erasure.Counts, error) {
	return s.counts(ctx, "counting what is left of a profile", `SELECT
		(SELECT count(*) FROM profiles WHERE user_id = $1),
		(SELECT count(*) FROM exports WHERE user_id = $1)`, user)
}

func (s *Store) counts(
	ctx context.Context, act, sql string, user uuid.UUID,
) (erasure.Counts, error) {
	var profiles, exports int64
	err := s.pool.QueryRow(ctx, sql, user).Scan(&profiles, &exports)
	return erasure.Counts{"users.profiles": profiles, "users.exports": exports}, fault(act, err)
}
