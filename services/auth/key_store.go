package auth

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// keyStore keeps the signing keys in PostgreSQL.
type keyStore struct{ pool *pgxpool.Pool }

// keysLock is the advisory lock under which keys are made ("authkeys" in ASCII).
const keysLock = 0x617574686b657973

// Published returns the keys that tokens may be checked with, newest first.
func (s *keyStore) Published(ctx context.Context, now time.Time) ([]signingKey, error) {
	keys, err := published(ctx, s.pool, now)
	return keys, fault("reading the signing keys", err)
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func published(ctx context.Context, db querier, now time.Time) ([]signingKey, error) {
	rows, err := db.Query(ctx, `
		SELECT kid, public_key, sealed_key, created_at, signs_from
		FROM signing_keys
		WHERE published_until IS NULL OR published_until > $1
		ORDER BY signs_from DESC, kid`, now)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[signingKey])
}

// AddFirst stores the key unless there is one already, from another replica.
func (s *keyStore) AddFirst(ctx context.Context, key signingKey) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(keysLock)); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			INSERT INTO signing_keys
				(kid, algorithm, public_key, sealed_key, created_at, signs_from)
			SELECT $1, 'EdDSA', $2::bytea, $3::bytea, $4::timestamptz, $5::timestamptz
			WHERE NOT EXISTS (
				SELECT FROM signing_keys WHERE published_until IS NULL OR published_until > $4)`,
			key.ID, []byte(key.Public), key.Sealed, key.CreatedAt, key.SignsFrom)
		return err
	})
	return fault("storing the first signing key", err)
}

// Succeed stores next and bounds how long the keys before it are published; what is over already is
// forgotten. check sees the published keys first and may refuse. Succeed returns the bounded ones.
func (s *keyStore) Succeed(
	ctx context.Context, next signingKey, until time.Time, check func([]signingKey) error,
) ([]string, error) {
	var (
		retiring []string
		refusal  error
	)
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(keysLock)); err != nil {
			return err
		}
		keys, err := published(ctx, tx, next.CreatedAt)
		if err != nil {
			return err
		}
		refusal = check(keys)
		if refusal != nil {
			return refusal
		}
		if _, err := tx.Exec(ctx, `DELETE FROM signing_keys WHERE published_until <= $1`, next.CreatedAt); err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `
			UPDATE signing_keys SET published_until = $1 WHERE published_until IS NULL RETURNING kid`, until)
		if err != nil {
			return err
		}
		if retiring, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			INSERT INTO signing_keys (kid, algorithm, public_key, sealed_key, created_at, signs_from)
			VALUES ($1, 'EdDSA', $2, $3, $4, $5)`,
			next.ID, []byte(next.Public), next.Sealed, next.CreatedAt, next.SignsFrom)
		return err
	})
	if refusal != nil {
		return nil, refusal
	}
	return retiring, fault("storing the next signing key", err)
}
