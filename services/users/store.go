package users

import (
	"context"
	"errors"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrUnavailable says that PostgreSQL cannot be reached.
var ErrUnavailable = problem.New(
	problem.Unavailable, "users_unavailable", "Profiles cannot be read now.",
)

// Store keeps the profiles in PostgreSQL.
type Store struct{ pool *pgxpool.Pool }

const profileColumns = `user_id, display_name, locale, home_region, created_at, updated_at`

func isMissing(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

// Get returns a user's profile; see isMissing.
func (s *Store) Get(ctx context.Context, user uuid.UUID) (Profile, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+profileColumns+` FROM profiles WHERE user_id = $1`, user)
	return one("reading a profile", rows, err)
}

// Add stores a profile unless the user has one, or is being erased.
func (s *Store) Add(ctx context.Context, p Profile) error {
	_, err := s.pool.Exec(ctx, `
		INSERT INTO profiles (user_id, display_name, locale, created_at, updated_at)
		SELECT $1::uuid, $2::text, $3::text, $4::timestamptz, $5::timestamptz
		WHERE NOT EXISTS (SELECT FROM deletions WHERE user_id = $1)
		ON CONFLICT (user_id) DO NOTHING`,
		p.ID, p.DisplayName, p.Locale, p.CreatedAt, p.UpdatedAt)
	return fault("making a profile", err)
}

// Update applies a valid patch. A patch that changes nothing leaves updated_at alone.
func (s *Store) Update(
	ctx context.Context, user uuid.UUID, p ProfilePatch, now time.Time,
) (Profile, error) {
	rows, err := s.pool.Query(ctx, `
		UPDATE profiles SET
			display_name = coalesce($2, display_name),
			locale = coalesce($3, locale),
			home_region = CASE WHEN $4 THEN $5 ELSE home_region END,
			updated_at = CASE WHEN
				coalesce($2, display_name) = display_name AND coalesce($3, locale) = locale
				AND NOT ($4 AND home_region IS DISTINCT FROM $5)
				THEN updated_at ELSE $6 END
		WHERE user_id = $1
		RETURNING `+profileColumns,
		user, p.DisplayName.value, p.Locale.value, p.HomeRegion.given, p.HomeRegion.value, now)
	return one("changing a profile", rows, err)
}

func one(act string, rows pgx.Rows, err error) (Profile, error) {
	if err != nil {
		return Profile{}, fault(act, err)
	}
	profile, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[Profile])
	profile.CreatedAt, profile.UpdatedAt = profile.CreatedAt.UTC(), profile.UpdatedAt.UTC()
	return profile, fault(act, err)
}

// fault wraps err with the act; it is ErrUnavailable where the server gave no answer, or stops.
func fault(act string, err error) error { return outage.Wrap(ErrUnavailable, act, err) }
