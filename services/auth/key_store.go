package auth

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// keyStore keeps the signing keys in PostgreSQL.
type keyStore struct{ pool *pgxpool.Pool }

// firstKeyLock is the advisory lock under which the first key is made ("authkeys" in ASCII).
const firstKeyLock = 0x617574686b657973

// Published returns the keys that tokens may be checked with, newest first.
func (s *keyStore) Published(ctx context.Context, now time.Time) ([]signingKey, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT kid, public_key, sealed_key, created_at, signs_from
		FROM signing_keys
		WHERE published_until IS NULL OR published_until > $1
		ORDER BY signs_from DESC, kid`, now)
	if err != nil {
		return nil, fault("reading the signing keys", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[signingKey])
	return keys, fault("reading the signing keys", err)
}

// AddFirst stores the key unless there is one already, from another replica.
func (s *keyStore) AddFirst(ctx context.Context, key signingKey) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(firstKeyLock)); err != nil {
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
