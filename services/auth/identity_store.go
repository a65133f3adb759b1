package auth

import (
	"context"
	"errors"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wastecoach/wastecoach/internal/token"
)

// Link gives an account one more identity, or returns ErrIdentityTaken. One that it has already is
// no error.
func (s *accountStore) Link(
	ctx context.Context, account uuid.UUID, id Identity, now time.Time,
) (uuid.UUID, error) {
	var linked uuid.UUID
	err := s.pool.QueryRow(ctx, `
		INSERT INTO identities
			(issuer, subject, account_id, provider, name, created_at, last_login_at)
		VALUES ($1, $2, $3, $4, $5, $6, $6)
		ON CONFLICT (issuer, subject) DO UPDATE SET name = excluded.name
		WHERE identities.account_id = excluded.account_id
		RETURNING id`,
		id.Issuer, id.Subject, account, id.Provider, id.Name, now).Scan(&linked)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return uuid.Nil, ErrIdentityTaken
	case isForeignKey(err):
		return uuid.Nil, token.ErrUnauthorized.Because(err) // the account was deleted this moment
	}
	return linked, fault("linking an identity", err)
}

func isForeignKey(err error) bool {
	const foreignKeyViolation = "23503"
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == foreignKeyViolation
}

// Identities lists an account's identities, oldest first.
func (s *accountStore) Identities(ctx context.Context, account uuid.UUID) ([]LinkedIdentity, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT id, provider, name, created_at, last_login_at
		FROM identities WHERE account_id = $1 ORDER BY created_at, id`, account)
	if err != nil {
		return nil, fault("listing identities", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LinkedIdentity])
	return all, fault("listing identities", err)
}

// Unlink takes an identity from its account, or returns ErrIdentityNotFound or ErrLastIdentity.
func (s *accountStore) Unlink(ctx context.Context, account, id uuid.UUID) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// Two at once must not take the last two.
		if _, err := tx.Exec(ctx, `SELECT FROM accounts WHERE id = $1 FOR UPDATE`, account); err != nil {
			return err
		}
		var mine, all int
		err := tx.QueryRow(ctx, `
			SELECT count(*) FILTER (WHERE id = $2), count(*) FROM identities WHERE account_id = $1`,
			account, id).Scan(&mine, &all)
		switch {
		case err != nil:
			return err
		case mine == 0:
			return ErrIdentityNotFound
		case all == 1:
			return ErrLastIdentity
		}
		_, err = tx.Exec(ctx, `DELETE FROM identities WHERE id = $1`, id)
		return err
	})
	return fault("unlinking an identity", err)
}
