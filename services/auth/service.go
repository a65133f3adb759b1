package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofrs/uuid/v5"

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
	logger    *slog.Logger
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

// BeginLogin returns where the app's browser has to go.
func (s *Service) BeginLogin(
	ctx context.Context, providerID string, r AuthorizeRequest,
) (string, error) {
	provider, err := s.provider(providerID)
	if err != nil {
		return "", err
	}
	if err := r.validate(); err != nil {
		return "", err
	}
	if !provider.allowsRedirect(r.RedirectURI) {
		return "", errRedirect
	}
	found, err := provider.endpoints(ctx)
	if err != nil {
		return "", err
	}
	login := newLoginState(providerID, r, s.now())
	if err := s.logins.Add(ctx, r.State, login); err != nil {
		return "", err
	}
	return found.authURL(login, r), nil
}

// FinishLogin trades a provider's code for a session. device is what the app calls itself.
func (s *Service) FinishLogin(
	ctx context.Context, providerID string, r TokenRequest, device string,
) (Tokens, error) {
	provider, err := s.provider(providerID)
	if err != nil {
		return Tokens{}, err
	}
	if err := r.validate(); err != nil {
		return Tokens{}, err
	}
	tokens, err := s.finishLogin(ctx, provider, r, device)
	s.metrics.login(providerID, err)
	return tokens, err
}

func (s *Service) finishLogin(
	ctx context.Context, provider *relyingParty, r TokenRequest, device string,
) (Tokens, error) {
	login, err := s.logins.Take(ctx, r.State)
	if err != nil {
		return Tokens{}, err
	}
	if !login.fits(provider.ID, r, s.now()) {
		return Tokens{}, ErrStateUnknown
	}
	if !login.proves(r.CodeVerifier) {
		return Tokens{}, ErrLoginRefused.Because(errors.New("the code verifier is another one"))
	}
	who, err := provider.identify(ctx, login, r.Code, r.CodeVerifier)
	if errors.Is(err, ErrProviderUnavailable) {
		// The code is most likely still good: the app may come again with it.
		again := s.logins.PutBack(context.WithoutCancel(ctx), r.State, login, s.now())
		return Tokens{}, errors.Join(err, again)
	}
	if err != nil {
		return Tokens{}, err
	}
	user, err := s.accounts.LogIn(ctx, who, s.now().UTC())
	if err != nil {
		return Tokens{}, err
	}
	return s.openSession(ctx, user, who, device)
}

func (s *Service) openSession(
	ctx context.Context, user uuid.UUID, who Identity, device string,
) (Tokens, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Tokens{}, fmt.Errorf("making a session id: %w", err)
	}
	session := Session{ID: id, UserID: user, Name: who.Name, Provider: who.Provider, Device: device}
	refresh := newRefreshToken(id, s.secrets.refreshMAC)
	if err := s.sessions.Add(ctx, &session, refresh); err != nil {
		return Tokens{}, err
	}
	s.logger.InfoContext(ctx, "login", "user_id", user, "session_id", id, "provider", who.Provider)
	return s.tokens(ctx, &session, refresh)
}

func (s *Service) tokens(ctx context.Context, session *Session, refresh string) (Tokens, error) {
	keys, err := s.keys.current(ctx)
	if err != nil {
		return Tokens{}, err
	}
	now := s.now()
	access, err := token.Sign(keys.private, keys.id, token.Principal{
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
		s.logger.WarnContext(ctx, "session revoked after a replay", "session_id", id)
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
	s.logger.InfoContext(ctx, "logout", "session_id", id)
	return s.sessions.End(ctx, id)
}

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
	s.logger.InfoContext(ctx, "session ended", "user_id", p.UserID, "session_id", id)
	return s.sessions.End(ctx, id)
}

// alive refuses an access token whose session has ended: it would still be good for minutes.
func (s *Service) alive(ctx context.Context, p token.Principal) error {
	session, err := s.sessions.Get(ctx, uuid.FromStringOrNil(p.SessionID))
	if errors.Is(err, ErrSessionNotFound) || err == nil && session.UserID != p.UserID {
		return token.ErrUnauthorized
	}
	return err
}
