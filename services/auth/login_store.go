package auth

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// loginStore keeps the logins under way in Redis.
type loginStore struct{ redis *redis.Client }

// stateKey hides the state: who reads Redis must not be able to end a login.
func stateKey(state string) string { return "auth:state:" + digest(state) }

// nonceKey holds for whom a nonce was made.
func nonceKey(nonce string) string { return "auth:nonce:" + digest(nonce) }

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Add returns ErrStateInUse when another login has the state.
func (s *loginStore) Add(ctx context.Context, state string, l loginState) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encoding a login: %w", err)
	}
	err = s.redis.SetArgs(ctx, stateKey(state), body, redis.SetArgs{Mode: "NX", TTL: loginLifetime}).Err()
	if errors.Is(err, redis.Nil) {
		return ErrStateInUse
	}
	if err != nil {
		return fault("storing a login", err)
	}
	return nil
}

// Take returns the login and forgets it, or ErrStateUnknown.
func (s *loginStore) Take(ctx context.Context, state string) (loginState, error) {
	body, err := s.redis.GetDel(ctx, stateKey(state)).Bytes()
	if errors.Is(err, redis.Nil) {
		return loginState{}, ErrStateUnknown
	}
	if err != nil {
		return loginState{}, fault("taking a login", err)
	}
	var l loginState
	if err := json.Unmarshal(body, &l); err != nil {
		return loginState{}, fmt.Errorf("decoding a login: %w", err)
	}
	return l, nil
}

// PutBack makes a login that was taken in vain wait on.
func (s *loginStore) PutBack(ctx context.Context, state string, l loginState, now time.Time) error {
	body, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encoding a login: %w", err)
	}
	left := l.ExpiresAt.Sub(now)
	if left <= 0 {
		return nil
	}
	if err := s.redis.Set(ctx, stateKey(state), body, left).Err(); err != nil {
		return fault("putting a login back", err)
	}
	return nil
}

// AddNonce keeps a nonce for the ID token of one provider.
func (s *loginStore) AddNonce(ctx context.Context, nonce, provider string) error {
	return fault("storing a nonce", s.redis.Set(ctx, nonceKey(nonce), provider, loginLifetime).Err())
}

// TakeNonce tells whether the nonce was made for the provider, once: it is forgotten.
func (s *loginStore) TakeNonce(ctx context.Context, nonce, provider string) (bool, error) {
	owner, err := s.redis.GetDel(ctx, nonceKey(nonce)).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return err == nil && owner == provider, fault("taking a nonce", err)
}
