package auth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/token"
)

// Service is what the API can do with logins and sessions.
type Service struct {
	providers []*relyingParty
	logins    *loginStore
	accounts  *accountStore
	sessions  *sessionStore
	keys      *keyring
	secrets   *secrets
	metrics   *metrics
	audit     *audit.Log
	now       func() time.Time
}

// Providers lists whom people may log in with, in the configured order.
func (s *Service) Providers() []Provider {
	list := make([]Provider, len(s.providers))
	for i, p := range s.providers {
		list[i] = p.public()
	}
	return list
}

func (s *Service) provider(id string) (*relyingParty, error) {
	for _, p := range s.providers {
		if p.ID == id {
			return p, nil
		}
	}
	return nil, ErrProviderNotFound
}

func (s *Service) openSession(
	ctx context.Context, k known, who Identity, device string,
) (Tokens, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Tokens{}, fmt.Errorf("making a session id: %w", err)
	}
	session := Session{
		ID: id, UserID: k.account, IdentityID: k.identity, Name: who.Name, Provider: who.Provider, Device: device,
	}
	refresh := newRefreshToken(id, s.secrets.refreshMAC)
	if err := s.sessions.Add(ctx, &session, refresh); err != nil {
		return Tokens{}, err
	}
	s.audit.Write(ctx, audit.Event{
		Name: audit.Login, Outcome: audit.Done, Actor: audit.User(k.account), Subject: subject(id),
	})
	return s.tokens(ctx, &session, refresh)
}

func (s *Service) tokens(ctx context.Context, session *Session, refresh string) (Tokens, error) {
	keys, err := s.keys.current(ctx)
	if err != nil {
		return Tokens{}, err
	}
	now := s.now()
	signer := keys.signer(now)
	access, err := token.Sign(signer.private, signer.id, token.Principal{
		UserID: session.UserID, SessionID: session.ID.String(), Name: session.Name,
	}, now)
	if err != nil {
		return Tokens{}, err
	}
	return Tokens{
		AccessToken: access, TokenType: "Bearer", ExpiresIn: int(token.Lifetime.Seconds()),
		RefreshToken: refresh, RefreshExpiresIn: int(session.ExpiresAt().Sub(now).Round(time.Second).Seconds()),
		UserID: session.UserID, SessionID: session.ID,
	}, nil
}

// Refresh uses up a refresh token. A replay within the window gets the same successor; a later
// one ends the session.
func (s *Service) Refresh(ctx context.Context, used string) (Tokens, error) {
	id, err := refreshSession(used, s.secrets.refreshMAC)
	if err != nil {
		s.metrics.refresh("unknown")
		return Tokens{}, err
	}
	// The keys come first: without one the token must not be used up.
	if _, err := s.keys.current(ctx); err != nil {
		return Tokens{}, err
	}
	successor := newRefreshToken(id, s.secrets.refreshMAC)
	sealed := s.secrets.successors.close([]byte(successor), []byte(used))
	result, earlier, err := s.sessions.Rotate(ctx, id, used, successor, sealed)
	if err != nil {
		return Tokens{}, err
	}
	s.metrics.refresh(string(result))
	switch result {
	case rotated:
	case replayed:
		opened, err := s.secrets.successors.open(earlier, []byte(used))
		if err != nil {
			return Tokens{}, fmt.Errorf("opening a successor: %w", err)
		}
		successor = string(opened)
	case revoked:
		s.audit.Write(ctx, audit.Event{
			Name: audit.RefreshReplayed, Outcome: audit.Done, Actor: audit.Nobody, Subject: subject(id),
		})
		return Tokens{}, ErrRefreshRefused
	case gone:
		return Tokens{}, ErrRefreshRefused
	default:
		return Tokens{}, fmt.Errorf("rotating a refresh token: unknown outcome %q", result)
	}
	session, err := s.sessions.Get(ctx, id)
	if errors.Is(err, ErrSessionNotFound) {
		return Tokens{}, ErrRefreshRefused // ended this moment
	}
	if err != nil {
		return Tokens{}, err
	}
	return s.tokens(ctx, &session, successor)
}

// Logout ends the session of a refresh token, old or new. What is no token of ours ends nothing.
func (s *Service) Logout(ctx context.Context, refresh string) error {
	id, err := refreshSession(refresh, s.secrets.refreshMAC)
	if errors.Is(err, ErrRefreshRefused) {
		return nil
	}
	if err != nil {
		return err
	}
	session, err := s.sessions.Get(ctx, id)
	if errors.Is(err, ErrSessionNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.end(ctx, audit.Logout, session.UserID, id)
}

// end ends a session of the user, who asked for it.
func (s *Service) end(ctx context.Context, act audit.Name, user, id uuid.UUID) error {
	if err := s.sessions.End(ctx, id); err != nil {
		return err
	}
	s.audit.Write(ctx, audit.Event{
		Name: act, Outcome: audit.Done, Actor: audit.User(user), Subject: subject(id),
	})
	return nil
}

// subject names a session in audit events.
func subject(session uuid.UUID) string { return "session:" + session.String() }

// Sessions lists the user's sessions, newest first. The caller's own must be among them.
func (s *Service) Sessions(ctx context.Context, p token.Principal) ([]Session, error) {
	if err := s.alive(ctx, p); err != nil {
		return nil, err
	}
	return s.sessions.List(ctx, p.UserID)
}

// EndSession ends one of the user's own sessions.
func (s *Service) EndSession(ctx context.Context, p token.Principal, id uuid.UUID) error {
	if err := s.alive(ctx, p); err != nil {
		return err
	}
	session, err := s.sessions.Get(ctx, id)
	if err != nil {
		return err
	}
	if session.UserID != p.UserID {
		return ErrSessionNotFound
	}
	return s.end(ctx, audit.SessionEnded, p.UserID, id)
}

// alive refuses an access token whose session has ended: it would still be good for minutes.
func (s *Service) alive(ctx context.Context, p token.Principal) error {
	session, err := s.sessions.Get(ctx, uuid.FromStringOrNil(p.SessionID))
	if errors.Is(err, ErrSessionNotFound) || err == nil && session.UserID != p.UserID {
		return token.ErrUnauthorized
	}
	return err
}
