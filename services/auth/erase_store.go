package auth

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// erase removes an account, and its identities with it.
func (s *accountStore) erase(
	ctx context.Context, account uuid.UUID,
) (accounts, identities int64, err error) {
	err = s.pool.QueryRow(ctx, `WITH
			i AS (DELETE FROM identities WHERE account_id = $1 RETURNING 1),
			a AS (DELETE FROM accounts WHERE id = $1 RETURNING 1)
		SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM i)`, account).
		Scan(&accounts, &identities)
	return accounts, identities, fault("erasing an account", err)
}

func (s *accountStore) left(
	ctx context.Context, account uuid.UUID,
) (accounts, identities int64, err error) {
	err = s.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM accounts WHERE id = $1),
		(SELECT count(*) FROM identities WHERE account_id = $1)`, account).
		Scan(&accounts, &identities)
	return accounts, identities, fault("counting what is left of an account", err)
}

// data is the account with its identities as JSON; null where there is none.
func (s *accountStore) data(ctx context.Context, account uuid.UUID) (json.RawMessage, error) {
	var data json.RawMessage
	err := s.pool.QueryRow(ctx, `SELECT json_build_object('id', a.id, 'created_at', a.created_at,
			'identities', COALESCE((SELECT json_agg(json_build_object('issuer', i.issuer,
				'subject', i.subject, 'provider', i.provider, 'name', i.name,
				'created_at', i.created_at, 'last_login_at', i.last_login_at))
				FROM identities i WHERE i.account_id = a.id), '[]'))
		FROM accounts a WHERE a.id = $1`, account).Scan(&data)
	if errors.Is(err, pgx.ErrNoRows) {
		return json.RawMessage("null"), nil
	}
	return data, fault("reading an account", err)
}

// scanStep is how many keys one step of a scan looks at.
const scanStep = 1000

// keysNaming looks through all of the service's keys, and does not trust the index: those whose
// name or value has the user's id.
func (s *sessionStore) keysNaming(ctx context.Context, user uuid.UUID) ([]string, error) {
	var found []string
	var cursor uint64
	for {
		keys, next, err := s.redis.Scan(ctx, cursor, "auth:*", scanStep).Result()
		if err != nil {
			return nil, fault("looking through the sessions", err)
		}
		naming, err := s.naming(ctx, keys, user.String())
		if err != nil {
			return nil, err
		}
		found = append(found, naming...)
		if cursor = next; cursor == 0 {
			return found, nil
		}
	}
}

// naming returns the keys that hold text. Sessions are hashes, everything else is a string or the
// index, which has the user in its name.
func (s *sessionStore) naming(ctx context.Context, keys []string, text string) ([]string, error) {
	values := make([]redis.Cmder, len(keys))
	_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, key := range keys {
			switch {
			case strings.HasPrefix(key, "auth:session:"):
				values[i] = p.HGet(ctx, key, "user_id")
			case strings.HasPrefix(key, "auth:sessions:"):
				values[i] = p.Exists(ctx, key)
			default:
				values[i] = p.Get(ctx, key)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fault("reading what sessions hold", err)
	}
	var found []string
	for i, key := range keys {
		value, isText := values[i].(*redis.StringCmd)
		if strings.Contains(key, text) || isText && strings.Contains(value.Val(), text) {
			found = append(found, key)
		}
	}
	return found, nil
}

func (s *sessionStore) drop(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	return fault("dropping sessions", s.redis.Del(ctx, keys...).Err())
}
