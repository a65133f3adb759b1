package auth

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/redis/go-redis/v9"
)

// sessionStore keeps the sessions in Redis: a hash for each, and for each user an index of them,
// which may name some that have ended.
type sessionStore struct {
	redis  *redis.Client
	times  SessionConfig
	now    func() time.Time
	rotate *redis.Script
}

//go:embed rotate.lua
var rotateScript string

func newSessionStore(client *redis.Client, times SessionConfig, now func() time.Time) *sessionStore {
	return &sessionStore{redis: client, times: times, now: now, rotate: redis.NewScript(rotateScript)}
}

func sessionKey(id uuid.UUID) string { return "auth:session:" + id.String() }
func indexKey(user uuid.UUID) string { return "auth:sessions:" + user.String() }
func usedKey(digest string) string   { return "auth:used:" + digest }

// Add stores a new session with its first refresh token and fills its times.
func (s *sessionStore) Add(ctx context.Context, session *Session, refreshToken string) error {
	now := s.now().UTC().Truncate(time.Millisecond)
	session.CreatedAt, session.UsedAt = now, now
	session.IdleAt, session.EndsAt = now.Add(s.times.Idle), now.Add(s.times.Absolute)
	_, err := s.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		key, index := sessionKey(session.ID), indexKey(session.UserID)
		p.HSet(ctx, key,
			"user_id", session.UserID.String(), "name", session.Name,
			"provider", session.Provider, "device", session.Device,
			"identity_id", session.IdentityID.String(), "created_at", now.UnixMilli(), "used_at", now.UnixMilli(),
			"idle_at", session.IdleAt.UnixMilli(), "ends_at", session.EndsAt.UnixMilli(),
			"current", digest(refreshToken))
		p.PExpire(ctx, key, session.ExpiresAt().Sub(now))
		p.ZAdd(ctx, index, redis.Z{Score: float64(session.EndsAt.UnixMilli()), Member: session.ID.String()})
		p.PExpire(ctx, index, s.times.Absolute)
		return nil
	})
	return fault("storing a session", err)
}

// Rotate uses up a refresh token; after replayed, sealed is the successor that was made before.
func (s *sessionStore) Rotate(
	ctx context.Context, id uuid.UUID, used, successor string, sealedSuccessor []byte,
) (result outcome, sealed []byte, err error) {
	answer, err := s.rotate.Run(ctx, s.redis, []string{sessionKey(id), usedKey(digest(used))},
		s.now().UnixMilli(), digest(used), digest(successor), sealedSuccessor,
		s.times.Idle.Milliseconds(), s.times.ReplayWindow.Milliseconds()).StringSlice()
	if err != nil {
		return "", nil, fault("rotating a refresh token", err)
	}
	return outcome(answer[0]), []byte(answer[1]), nil
}

// Get returns a session that has not ended, or ErrSessionNotFound.
func (s *sessionStore) Get(ctx context.Context, id uuid.UUID) (Session, error) {
	fields, err := s.redis.HGetAll(ctx, sessionKey(id)).Result()
	if err != nil {
		return Session{}, fault("reading a session", err)
	}
	return s.decode(id, fields)
}

// List returns a user's sessions, newest first, and drops from the index what has ended.
func (s *sessionStore) List(ctx context.Context, user uuid.UUID) ([]Session, error) {
	members, err := s.redis.ZRangeArgs(ctx, redis.ZRangeArgs{
		Key: indexKey(user), Start: 0, Stop: -1, Rev: true,
	}).Result()
	if err != nil {
		return nil, fault("listing sessions", err)
	}
	found := make([]*redis.MapStringStringCmd, len(members))
	_, err = s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, member := range members {
			found[i] = p.HGetAll(ctx, sessionKey(uuid.FromStringOrNil(member)))
		}
		return nil
	})
	if err != nil {
		return nil, fault("reading sessions", err)
	}
	sessions := []Session{}
	var ended []any
	for i, member := range members {
		session, err := s.decode(uuid.FromStringOrNil(member), found[i].Val())
		switch {
		case errors.Is(err, ErrSessionNotFound):
			ended = append(ended, member)
		case err != nil:
			return nil, err
		default:
			sessions = append(sessions, session)
		}
	}
	if len(ended) > 0 {
		err = s.redis.ZRem(ctx, indexKey(user), ended...).Err()
	}
	return sessions, fault("dropping ended sessions", err)
}

// End forgets a session; one that has ended already is no error.
func (s *sessionStore) End(ctx context.Context, id uuid.UUID) error {
	user, err := s.redis.HGet(ctx, sessionKey(id), "user_id").Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return fault("finding a session", err)
	}
	_, err = s.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, sessionKey(id))
		p.ZRem(ctx, indexKey(uuid.FromStringOrNil(user)), id.String())
		return nil
	})
	return fault("ending a session", err)
}

func (s *sessionStore) decode(id uuid.UUID, fields map[string]string) (Session, error) {
	if len(fields) == 0 {
		return Session{}, ErrSessionNotFound
	}
	user, err := uuid.FromString(fields["user_id"])
	if err != nil {
		return Session{}, fmt.Errorf("reading session %s: %w", id, err)
	}
	session := Session{
		ID: id, UserID: user, Name: fields["name"], Provider: fields["provider"], Device: fields["device"],
		IdentityID: uuid.FromStringOrNil(fields["identity_id"]),
	}
	for name, into := range map[string]*time.Time{
		"created_at": &session.CreatedAt, "used_at": &session.UsedAt,
		"idle_at": &session.IdleAt, "ends_at": &session.EndsAt,
	} {
		ms, err := strconv.ParseInt(fields[name], 10, 64)
		if err != nil {
			return Session{}, fmt.Errorf("reading %s of session %s: %w", name, id, err)
		}
		*into = time.UnixMilli(ms).UTC()
	}
	if !s.now().Before(session.ExpiresAt()) {
		return Session{}, ErrSessionNotFound
	}
	return session, nil
}
