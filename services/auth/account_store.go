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

// LogIn returns the account of an identity, which it makes at the first login.
func (s *accountStore) LogIn(ctx context.Context, id Identity, now time.Time) (uuid.UUID, error) {
	account, err := s.touch(ctx, id, now)
	if !errors.Is(err, pgx.ErrNoRows) {
		return account, fault("finding an account", err)
	}
	account, err = s.create(ctx, id, now)
	if errors.Is(err, errIdentityKnown) {
		account, err = s.touch(ctx, id, now)
	}
	return account, fault("making an account", err)
}

func (s *accountStore) touch(ctx context.Context, id Identity, now time.Time) (uuid.UUID, error) {
	var account uuid.UUID
	err := s.pool.QueryRow(ctx, `
		UPDATE identities SET last_login_at = $3, name = $4, provider = $5
		WHERE issuer = $1 AND subject = $2
		RETURNING account_id`,
		id.Issuer, id.Subject, now, id.Name, id.Provider).Scan(&account)
	return account, err
}

// errIdentityKnown says that a login at the same time was faster.
var errIdentityKnown = errors.New("the identity has an account already")

func (s *accountStore) create(ctx context.Context, id Identity, now time.Time) (uuid.UUID, error) {
	account, err := uuid.NewV7()
	if err != nil {
		return uuid.Nil, err
	}
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx,
			`INSERT INTO accounts (id, created_at) VALUES ($1, $2)`, account, now); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `
			INSERT INTO identities
				(issuer, subject, account_id, provider, name, created_at, last_login_at)
			VALUES ($1, $2, $3, $4, $5, $6, $6)
			ON CONFLICT (issuer, subject) DO NOTHING`,
			id.Issuer, id.Subject, account, id.Provider, id.Name, now)
		if err == nil && tag.RowsAffected() == 0 {
			return errIdentityKnown
		}
		return err
	})
	return account, err
}
