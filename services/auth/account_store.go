package auth

import (
	"context"
	"errors"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// accountStore keeps who is who in PostgreSQL.
type accountStore struct{ pool *pgxpool.Pool }

// known is who somebody turned out to be.
type known struct{ account, identity uuid.UUID }

// LogIn returns the account of an identity, which it makes at the first login.
func (s *accountStore) LogIn(ctx context.Context, id Identity, now time.Time) (known, error) {
	k, err := s.touch(ctx, id, now)
	if !errors.Is(err, pgx.ErrNoRows) {
		return k, fault("finding an account", err)
	}
	k, err = s.create(ctx, id, now)
	if errors.Is(err, errIdentityKnown) {
		k, err = s.touch(ctx, id, now)
	}
	return k, fault("making an account", err)
}

func (s *accountStore) touch(ctx context.Context, id Identity, now time.Time) (known, error) {
	var k known
	err := s.pool.QueryRow(ctx, `
		UPDATE identities SET last_login_at = $3, name = $4, provider = $5
		WHERE issuer = $1 AND subject = $2
		RETURNING account_id, id`,
		id.Issuer, id.Subject, now, id.Name, id.Provider).Scan(&k.account, &k.identity)
	return k, err
}

// errIdentityKnown says that a login at the same time was faster.
var errIdentityKnown = errors.New("the identity has an account already")

func (s *accountStore) create(ctx context.Context, id Identity, now time.Time) (known, error) {
	account, err := uuid.NewV7()
	if err != nil {
		return known{}, err
	}
	identity, err := uuid.NewV7()
	if err != nil {
		return known{}, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx,
			`INSERT INTO accounts (id, created_at) VALUES ($1, $2)`, account, now); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO identities
				(id, issuer, subject, account_id, provider, name, created_at, last_login_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
			ON CONFLICT (issuer, subject) DO NOTHING`,
			identity, id.Issuer, id.Subject, account, id.Provider, id.Name, now)
		if err == nil && tag.RowsAffected() == 0 {
			return errIdentityKnown
		}
		return err
	})
	return known{account, identity}, err
}
