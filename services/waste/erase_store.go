package waste

import (
	"context"
	"fmt"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/erasure"
)

// erased is what is remembered of a user while their deletion goes on.
type erased struct {
	jobs   []uuid.UUID
	photos [][]byte
}

// eraseUser removes a user's rows and refuses the user from now on. It is one statement, so that
// what is removed and what is remembered of it are the same. An analysis made this very moment
// makes it fail by its foreign key: the next call takes it along.
func (s *Store) eraseUser(ctx context.Context, user uuid.UUID) (erased, erasure.Counts, error) {
	var e erased
	var feedback, analyses, answers, uploads int64
	err := s.pool.QueryRow(ctx, `WITH
			f AS (DELETE FROM feedback WHERE user_id = $1 RETURNING 1),
			a AS (DELETE FROM analyses WHERE user_id = $1 RETURNING id),
			n AS (DELETE FROM answers WHERE user_id = $1 RETURNING 1),
			u AS (DELETE FROM uploads WHERE user_id = $1 RETURNING sha256),
			o AS (DELETE FROM operator_actions WHERE subject IN (
				SELECT id::text FROM analyses WHERE user_id = $1)),
			noted AS (
				INSERT INTO erasures AS e (user_id, jobs, photos, began_at)
				VALUES ($1, ARRAY(SELECT id FROM a), ARRAY(SELECT DISTINCT sha256 FROM u), now())
				ON CONFLICT (user_id) DO UPDATE
					SET jobs = e.jobs || excluded.jobs, photos = e.photos || excluded.photos
				RETURNING jobs, photos)
		SELECT (SELECT count(*) FROM f), (SELECT count(*) FROM a), (SELECT count(*) FROM n),
			(SELECT count(*) FROM u), jobs, photos FROM noted`, user).
		Scan(&feedback, &analyses, &answers, &uploads, &e.jobs, &e.photos)
	if err != nil {
		return erased{}, nil, fmt.Errorf("erasing a user's rows: %w", err)
	}
	return e, erasure.Counts{
		"waste.feedback": feedback, "waste.analyses": analyses, "waste.answers": answers,
		"waste.uploads": uploads,
	}, nil
}

// leftOfUser counts the user's rows and returns their analyses and photos, erased ones included.
func (s *Store) leftOfUser(ctx context.Context, user uuid.UUID) (erased, erasure.Counts, error) {
	var e erased
	var feedback, analyses, answers, uploads int64
	err := s.pool.QueryRow(ctx, `SELECT
			(SELECT count(*) FROM feedback WHERE user_id = $1),
			(SELECT count(*) FROM analyses WHERE user_id = $1),
			(SELECT count(*) FROM answers WHERE user_id = $1),
			(SELECT count(*) FROM uploads WHERE user_id = $1),
			ARRAY(SELECT id FROM analyses WHERE user_id = $1
				UNION SELECT unnest(jobs) FROM erasures WHERE user_id = $1),
			ARRAY(SELECT sha256 FROM uploads WHERE user_id = $1
				UNION SELECT unnest(photos) FROM erasures WHERE user_id = $1)`, user).
		Scan(&feedback, &analyses, &answers, &uploads, &e.jobs, &e.photos)
	if err != nil {
		return erased{}, nil, fmt.Errorf("counting a user's rows: %w", err)
	}
	return e, erasure.Counts{
		"waste.feedback": feedback, "waste.analyses": analyses, "waste.answers": answers,
		"waste.uploads": uploads,
	}, nil
}

// onlyTheirs leaves out the photos that another user has sent, too.
func (s *Store) onlyTheirs(
	ctx context.Context, user uuid.UUID, photos [][]byte,
) ([][]byte, error) {
	var only [][]byte
	err := s.pool.QueryRow(ctx, `SELECT COALESCE(array_agg(DISTINCT p), '{}')
		FROM unnest($2::bytea[]) p
		WHERE NOT EXISTS (SELECT FROM uploads u WHERE u.sha256 = p AND u.user_id <> $1)`,
		user, photos).Scan(&only)
	if err != nil {
		return nil, fmt.Errorf("looking for photos of several users: %w", err)
	}
	return only, nil
}

// forgetErasure ends the refusal of a user.
func (s *Store) forgetErasure(ctx context.Context, user uuid.UUID) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM erasures WHERE user_id = $1`, user)
	if err != nil {
		return fmt.Errorf("ending an erasure: %w", err)
	}
	return nil
}
