package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/token"
)

const (
	// keyLead is how long a new key is published before it signs: until every replica has read it,
	// every cache has dropped the answer without it, and clocks that differ agree.
	keyLead = jwksMaxAge + keysFresh + clockSlack
	// keyTail is how long a key is published after it signed last.
	keyTail    = token.Lifetime + clockSlack
	clockSlack = 2 * time.Minute
)

// What rotating can be refused with.
var (
	ErrNoKey           = errors.New("the auth service has made no signing key yet: there is nothing to rotate")
	ErrRotationPending = errors.New("the last new key does not sign yet")
)

// Rotation is a new signing key and what becomes of those before it.
type Rotation struct {
	KeyID string `json:"kid"`
	// SignsFrom is when replicas change to the key, which they publish within a minute.
	SignsFrom time.Time `json:"signs_from"`
	// Retiring are the keys that sign until then; their tokens are good until RetiredAt.
	Retiring  []string  `json:"retiring"`
	RetiredAt time.Time `json:"retired_at"`
}

// RotateKeys makes the next signing key in the database of dsn, whose role is auth or may act as it.
// Running replicas find it there: nobody is signed out, nothing is restarted.
func RotateKeys(ctx context.Context, dsn, masterKey env.Secret) (Rotation, error) {
	cfg := Config{MasterKey: masterKey}
	master, err := cfg.masterKey()
	if err != nil {
		return Rotation{}, err
	}
	secrets, err := newSecrets(master)
	if err != nil {
		return Rotation{}, err
	}
	pool, err := openAsOwner(ctx, dsn)
	if err != nil {
		return Rotation{}, err
	}
	defer pool.Close()
	// The database's clock: the operator's machine may have any.
	var now time.Time
	if err := pool.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return Rotation{}, fmt.Errorf("reaching PostgreSQL: %w", err)
	}
	return rotateKeys(ctx, &keyStore{pool}, secrets.signingKeys, now.UTC())
}

func openAsOwner(ctx context.Context, dsn env.Secret) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn.Reveal())
	if err != nil {
		return nil, fmt.Errorf("reading the database DSN: %w", err)
	}
	cfg.MaxConns = 1
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		if _, err := conn.Exec(ctx, `SET ROLE auth; SET search_path = auth, public`); err != nil {
			return fmt.Errorf("acting as role auth: %w", err)
		}
		return nil
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

func rotateKeys(ctx context.Context, store *keyStore, s seal, now time.Time) (Rotation, error) {
	next, err := newSigningKey(s, now, now.Add(keyLead))
	if err != nil {
		return Rotation{}, err
	}
	r := Rotation{KeyID: next.ID, SignsFrom: next.SignsFrom, RetiredAt: next.SignsFrom.Add(keyTail)}
	r.Retiring, err = store.Succeed(ctx, next, r.RetiredAt, func(keys []signingKey) error {
		if len(keys) == 0 {
			return ErrNoKey
		}
		if newest := keys[0]; newest.SignsFrom.After(now) {
			return fmt.Errorf("%w: %s signs from %s", ErrRotationPending, newest.ID,
				newest.SignsFrom.UTC().Format(time.RFC3339))
		}
		// A key that the replicas cannot open would stop them all.
		_, err := keys[0].open(s)
		return err
	})
	return r, err
}
