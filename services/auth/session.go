package auth

import (
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// What a session can be refused with.
var (
	ErrRefreshRefused = problem.New(
		problem.Unauthorized, "refresh_refused", "The session has ended: log in again.",
	)
	ErrSessionNotFound = problem.New(
		problem.NotFound, "session_not_found", "There is no such session.",
	)
)

// Session is one login on one device.
type Session struct {
	ID       uuid.UUID
	UserID   uuid.UUID
	Name     string
	Provider string
	Device   string
	// IdentityID is whom the session began with.
	IdentityID uuid.UUID
	CreatedAt  time.Time
	UsedAt     time.Time
	// IdleAt is when the session ends unless it is used before; EndsAt is when it ends anyway.
	IdleAt time.Time
	EndsAt time.Time
}

// ExpiresAt is when the session ends unless it is used before.
func (s *Session) ExpiresAt() time.Time {
	if s.IdleAt.Before(s.EndsAt) {
		return s.IdleAt
	}
	return s.EndsAt
}

// Tokens are what an app gets at the end of a login and at each refresh; lifetimes in seconds.
type Tokens struct {
	AccessToken      string    `json:"access_token"`
	TokenType        string    `json:"token_type"`
	ExpiresIn        int       `json:"expires_in"`
	RefreshToken     string    `json:"refresh_token"`
	RefreshExpiresIn int       `json:"refresh_expires_in"`
	UserID           uuid.UUID `json:"user_id"`
	SessionID        uuid.UUID `json:"session_id"`
}

// outcome is what became of a refresh token.
type outcome string

const (
	// rotated: it was the newest, and has a successor now.
	rotated outcome = "rotated"
	// replayed: it was used a moment ago, and its successor is given again.
	replayed outcome = "replayed"
	// revoked: it was used long ago, so somebody else may have it; the session was ended.
	revoked outcome = "revoked"
	// gone: its session has ended.
	gone outcome = "gone"
)
