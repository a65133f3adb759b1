package auth

import (
	"context"
	"errors"
	"time"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/problem"
)

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

// Nonce is what an app hands to a provider's SDK, to find it in the ID token.
type Nonce struct {
	Nonce     string `json:"nonce"`
	ExpiresIn int    `json:"expires_in"`
}

// NewNonce begins a login by the provider's own SDK.
func (s *Service) NewNonce(ctx context.Context, providerID string) (Nonce, error) {
	provider, err := s.provider(providerID)
	if err != nil {
		return Nonce{}, err
	}
	if len(provider.Audiences) == 0 {
		return Nonce{}, errNativeOff
	}
	nonce := Nonce{randomText(), int(loginLifetime / time.Second)}
	return nonce, s.logins.AddNonce(ctx, nonce.Nonce, providerID)
}

// FinishLogin trades what a provider said for a session. device is what the app calls itself.
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
	if err != nil {
		s.audit.Write(ctx, notDone(audit.Login, audit.Nobody, err))
	}
	return tokens, err
}

// notDone tells a refusal from a fault of ours or of a provider.
func notDone(act audit.Name, actor string, err error) audit.Event {
	e := problem.From(err)
	outcome := audit.Refused
	if e.Kind >= problem.Internal {
		outcome = audit.Failed
	}
	return audit.Event{Name: act, Outcome: outcome, Actor: actor, Reason: e.Code}
}

func (s *Service) finishLogin(
	ctx context.Context, provider *relyingParty, r TokenRequest, device string,
) (Tokens, error) {
	who, err := s.identify(ctx, provider, r)
	if err != nil {
		return Tokens{}, err
	}
	k, err := s.accounts.LogIn(ctx, who, s.now().UTC())
	if err != nil {
		return Tokens{}, err
	}
	return s.openSession(ctx, k, who, device)
}

// identify finds out who a valid request speaks for; it serves once, unless the provider was away.
func (s *Service) identify(ctx context.Context, provider *relyingParty, r TokenRequest) (Identity, error) {
	if r.native() {
		return s.identifyNative(ctx, provider, r.IDToken)
	}
	login, err := s.logins.Take(ctx, r.State)
	if err != nil {
		return Identity{}, err
	}
	if !login.fits(provider.ID, r, s.now()) {
		return Identity{}, ErrStateUnknown
	}
	if !login.proves(r.CodeVerifier) {
		return Identity{}, refused("the code verifier is another one")
	}
	if r.Issuer != "" && r.Issuer != provider.Issuer {
		return Identity{}, refused("the code comes from another issuer")
	}
	who, err := provider.identify(ctx, login, r)
	if errors.Is(err, ErrProviderUnavailable) {
		// The code is most likely still good: the app may come again with it.
		again := s.logins.PutBack(context.WithoutCancel(ctx), r.State, login, s.now())
		return Identity{}, errors.Join(err, again)
	}
	return who, err
}

// identifyNative uses up the nonce last: only a token that is good in all else can.
func (s *Service) identifyNative(ctx context.Context, provider *relyingParty, raw string) (Identity, error) {
	if len(provider.Audiences) == 0 {
		return Identity{}, errNativeOff
	}
	who, nonce, err := provider.identifyNative(ctx, raw)
	if err != nil {
		return Identity{}, err
	}
	ours, err := s.logins.TakeNonce(ctx, nonce, provider.ID)
	if err != nil {
		return Identity{}, err
	}
	if !ours {
		return Identity{}, refused("the ID token has no nonce that waits for this provider")
	}
	return who, nil
}
