package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// identify trades a code for what the provider says of the person.
func (p *relyingParty) identify(ctx context.Context, login loginState, r TokenRequest) (Identity, error) {
	found, err := p.endpoints(ctx)
	if err != nil {
		return Identity{}, err
	}
	cfg := found.oauth
	cfg.RedirectURL = login.RedirectURI
	options := []oauth2.AuthCodeOption{oauth2.VerifierOption(r.CodeVerifier)}
	if p.OAuth2 != nil {
		options = append(options, oauth2.SetAuthURLParam("state", r.State)) // Naver asks for it again
	}
	answer, err := cfg.Exchange(oidc.ClientContext(ctx, p.client), r.Code, options...)
	if err != nil {
		return Identity{}, exchangeError(err)
	}
	if p.OAuth2 != nil {
		return p.profile(ctx, answer.AccessToken)
	}
	raw, _ := answer.Extra("id_token").(string)
	checked, err := p.check(ctx, found.verifier, raw)
	if err != nil {
		return Identity{}, err
	}
	if subtle.ConstantTimeCompare([]byte(checked.Nonce), []byte(login.Nonce)) != 1 {
		return Identity{}, refused("the ID token has another nonce")
	}
	return p.identity(checked)
}

// identifyNative takes an ID token that an app got by the provider's own SDK. The nonce is the
// caller's to check: it is in the token.
func (p *relyingParty) identifyNative(ctx context.Context, raw string) (id Identity, nonce string, err error) {
	found, err := p.endpoints(ctx)
	if err != nil {
		return Identity{}, "", err
	}
	checked, err := p.check(ctx, found.native, raw)
	if err != nil {
		return Identity{}, "", err
	}
	foreign := func(audience string) bool { return !slices.Contains(p.Audiences, audience) }
	if len(checked.Audience) == 0 || slices.ContainsFunc(checked.Audience, foreign) {
		return Identity{}, "", refused(fmt.Sprintf("the ID token is for %q", checked.Audience))
	}
	id, err = p.identity(checked)
	return id, checked.Nonce, err
}

// check tells a token that is not good from keys that cannot be had, which go-oidc tells by its
// text alone.
func (p *relyingParty) check(
	ctx context.Context, verifier *oidc.IDTokenVerifier, raw string,
) (*oidc.IDToken, error) {
	checked, err := verifier.Verify(ctx, raw)
	switch {
	case err == nil:
		return checked, nil
	case strings.HasPrefix(err.Error(), "failed to verify signature: fetching keys "):
		return nil, unavailable(err)
	}
	return nil, ErrLoginRefused.Because(fmt.Errorf("checking the ID token: %w", err))
}

func (p *relyingParty) identity(checked *oidc.IDToken) (Identity, error) {
	var claims struct {
		Name     string `json:"name"`
		Nickname string `json:"nickname"`
	}
	if err := checked.Claims(&claims); err != nil {
		return Identity{}, ErrLoginRefused.Because(fmt.Errorf("reading the ID token: %w", err))
	}
	return p.person(checked.Issuer, checked.Subject, claims.Name, claims.Nickname)
}

// person is refused without a subject.
func (p *relyingParty) person(issuer, subject, name, nickname string) (Identity, error) {
	if subject == "" {
		return Identity{}, refused("the provider names no subject")
	}
	if name == "" {
		name = nickname
	}
	return Identity{Issuer: issuer, Subject: subject, Provider: p.ID, Name: cleanName(name)}, nil
}

// exchangeError tells a refused code, which is the app's matter, from a provider that does not
// work or does not know us, which is ours.
func exchangeError(err error) error {
	var refusal *oauth2.RetrieveError
	if errors.As(err, &refusal) && (refusal.ErrorCode == "invalid_grant" || refusal.ErrorCode == "invalid_request") {
		return ErrLoginRefused.Because(err)
	}
	return unavailable(fmt.Errorf("exchanging a code: %w", err))
}

func refused(why string) error { return ErrLoginRefused.Because(errors.New(why)) }
