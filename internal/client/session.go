package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// renewBefore is how early an access token is replaced, so that it does not expire on its way.
const renewBefore = 30 * time.Second

// Tokens are one login. The zero value is none.
type Tokens struct {
	AccessToken      string    `json:"access_token"`
	ExpiresAt        time.Time `json:"expires_at"`
	RefreshToken     string    `json:"refresh_token"`
	RefreshExpiresAt time.Time `json:"refresh_expires_at"`
	UserID           string    `json:"user_id"`
	SessionID        string    `json:"session_id"`
}

// TokenStore keeps tokens beyond the process.
type TokenStore interface {
	// Update stores what change makes of the stored tokens, and returns it. Nobody else, in this
	// process or in another one, updates meanwhile.
	Update(ctx context.Context, change func(Tokens) (Tokens, error)) (Tokens, error)
}

// Session is a TokenSource that replaces its access token shortly before it expires or when the
// server refuses it.
type Session struct {
	client *Client
	store  TokenStore
	mu     sync.Mutex
	tokens Tokens
}

// NewSession returns the session that store holds; client needs no tokens.
func NewSession(client *Client, store TokenStore) *Session {
	return &Session{client: client, store: store}
}

// Token returns a valid access token; the error is ErrLoggedOut where there is none to be had.
func (s *Session) Token(ctx context.Context, stale string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens.usable(stale) {
		return s.tokens.AccessToken, nil
	}
	tokens, err := s.store.Update(ctx, func(stored Tokens) (Tokens, error) {
		if stored.usable(stale) {
			return stored, nil // another process was faster
		}
		if stored.RefreshToken == "" {
			return Tokens{}, ErrLoggedOut
		}
		return s.client.Refresh(ctx, stored.RefreshToken)
	})
	if err != nil {
		return "", err
	}
	s.tokens = tokens
	return tokens.AccessToken, nil
}

func (t Tokens) usable(stale string) bool {
	return t.AccessToken != "" && t.AccessToken != stale &&
		time.Until(t.ExpiresAt) > renewBefore
}

type tokenAnswer struct {
	AccessToken      string `json:"access_token"`
	ExpiresIn        int    `json:"expires_in"`
	RefreshToken     string `json:"refresh_token"`
	RefreshExpiresIn int    `json:"refresh_expires_in"`
	UserID           string `json:"user_id"`
	SessionID        string `json:"session_id"`
}

func (a tokenAnswer) tokens(now time.Time) (Tokens, error) {
	if a.AccessToken == "" {
		return Tokens{}, errors.New("the server's answer has no access token")
	}
	return Tokens{
		AccessToken:      a.AccessToken,
		ExpiresAt:        now.Add(time.Duration(a.ExpiresIn) * time.Second).UTC(),
		RefreshToken:     a.RefreshToken,
		RefreshExpiresAt: now.Add(time.Duration(a.RefreshExpiresIn) * time.Second).UTC(),
		UserID:           a.UserID, SessionID: a.SessionID,
	}, nil
}

// Refresh trades a refresh token for new tokens. It is repeatable: a replay within a minute gets
// the same successor.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	tokens, err := c.tokensFrom(ctx, call{
		method: http.MethodPost, path: "/auth/refresh", anonymous: true, repeatable: true,
		body: map[string]string{"refresh_token": refreshToken},
	})
	if IsStatus(err, http.StatusUnauthorized) || IsStatus(err, http.StatusBadRequest) {
		return Tokens{}, fmt.Errorf("%w: %w", ErrLoggedOut, err)
	}
	if err != nil {
		return Tokens{}, fmt.Errorf("refreshing the login: %w", err)
	}
	return tokens, nil
}

// Logout ends the session of the tokens on the server.
func (c *Client) Logout(ctx context.Context, t Tokens) error {
	_, err := c.do(ctx, call{
		method: http.MethodPost, path: "/auth/logout", repeatable: true, anonymous: true,
		body:   map[string]string{"refresh_token": t.RefreshToken},
		header: map[string]string{"Authorization": "Bearer " + t.AccessToken},
	})
	if IsStatus(err, http.StatusUnauthorized) {
		return nil // it has ended already
	}
	return err
}

func (c *Client) tokensFrom(ctx context.Context, r call) (Tokens, error) {
	asked := time.Now() // the lifetimes count from the server's answer, which is later
	var got tokenAnswer
	if err := c.doJSON(ctx, r, &got); err != nil {
		return Tokens{}, err
	}
	return got.tokens(asked)
}

// authorization is the token of one call and its tries.
type authorization struct {
	source  TokenSource
	off     bool
	token   string
	renewed bool
}

func (a *authorization) prepare(ctx context.Context) (err error) {
	if !a.off {
		a.token, err = a.source.Token(ctx, "")
	}
	return err
}

func (a *authorization) mayRenew() bool { return !a.off && !a.renewed }

func (a *authorization) renew(ctx context.Context) (err error) {
	a.renewed = true
	a.token, err = a.source.Token(ctx, a.token)
	return err
}
