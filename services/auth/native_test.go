package auth

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func (w *world) nonce(provider string) string {
	w.t.Helper()
	got := w.send(http.MethodPost, "/"+provider+"/nonce", "", nil)
	if got.status != http.StatusOK {
		w.t.Fatalf("nonce: %d %s", got.status, got.body)
	}
	var n Nonce
	got.decode(w.t, &n)
	return n.Nonce
}

// sdk is a provider's own SDK in the app: it logs in at the provider as the client and brings back
// an ID token.
func (w *world) sdk(issuer, client, nonce, hint string) string {
	w.t.Helper()
	provider, err := oidc.NewProvider(w.t.Context(), issuer)
	if err != nil {
		w.t.Fatal(err)
	}
	l := newLogin()
	cfg := oauth2.Config{
		ClientID: client, RedirectURL: l.redirect, Endpoint: provider.Endpoint(),
		Scopes: []string{"openid", "profile"},
	}
	cfg.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	address, err := url.Parse(cfg.AuthCodeURL(l.state, oidc.Nonce(nonce),
		oauth2.S256ChallengeOption(l.verifier), oauth2.SetAuthURLParam("login_hint", hint)))
	if err != nil {
		w.t.Fatal(err)
	}
	answer, err := cfg.Exchange(w.t.Context(), w.visit(l, address), oauth2.VerifierOption(l.verifier))
	if err != nil {
		w.t.Fatal(err)
	}
	raw, _ := answer.Extra("id_token").(string)
	return raw
}

func (w *world) native(provider, idToken string) answer {
	w.t.Helper()
	return w.send(http.MethodPost, "/"+provider+"/token", "", TokenRequest{IDToken: idToken})
}

func (w *world) issuer() string { return w.cfg.Providers[0].Issuer }

func TestNativeLogin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	raw := w.sdk(w.issuer(), "phone", w.nonce("development"), "u-1")
	tokens := w.tokens(w.native("development", raw))
	if p := w.principal(tokens.AccessToken); p.UserID != tokens.UserID || p.Name != "김민지" {
		t.Errorf("principal %+v of tokens %+v", p, tokens)
	}
	if byCode := w.logIn(newLogin()); byCode.UserID != tokens.UserID {
		t.Error("the same person is another user by the other way in")
	}
	w.native("development", raw).want(t, http.StatusUnauthorized, "login_refused") // the nonce is used up
}

func TestNativeRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.send(http.MethodPost, "/nobody/nonce", "", nil).want(t, http.StatusNotFound, "provider_not_found")
	w.send(http.MethodPost, "/twin/nonce", "", nil).want(t, http.StatusUnprocessableEntity, "native_login_off")
	raw := w.sdk(w.issuer(), "phone", w.nonce("development"), "u-1")
	w.native("twin", raw).want(t, http.StatusUnprocessableEntity, "native_login_off")
	for name, body := range map[string]TokenRequest{
		"with a code": {IDToken: raw, Code: "c"}, "with a state": {IDToken: raw, State: newLogin().state},
		"too long": {IDToken: strings.Repeat("x", maxIDToken+1)},
	} {
		got := w.send(http.MethodPost, "/development/token", "", body)
		if got.status != http.StatusUnprocessableEntity || got.problem.Errors[0].Pointer != "/id_token" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	w.tokens(w.native("development", raw)) // none of these used the nonce up

	// An honest ID token that another app was given, with a nonce that it had of us.
	foreign := w.sdk(w.issuer(), "foreign", w.nonce("development"), "u-1")
	w.native("development", foreign).want(t, http.StatusUnauthorized, "login_refused")
}

func TestNonceExpires(t *testing.T) {
	t.Parallel()
	w := setup(t)
	nonce := w.nonce("development")
	ttl := w.redis.TTL(t.Context(), nonceKey(nonce)).Val()
	if ttl <= 9*time.Minute || ttl > loginLifetime {
		t.Errorf("Redis forgets the nonce after %s", ttl)
	}
	raw := w.sdk(w.issuer(), "phone", nonce, "u-1")
	if err := w.redis.Del(t.Context(), nonceKey(nonce)).Err(); err != nil {
		t.Fatal(err)
	}
	w.native("development", raw).want(t, http.StatusUnauthorized, "login_refused")
}

// A provider that is away is no refusal, and uses no nonce up.
func TestNativeLoginWhileTheProviderIsAway(t *testing.T) {
	t.Parallel()
	w := setup(t)
	undiscovered := w.sdk(w.issuer(), "phone", w.nonce("development"), "u-1")
	w.provider.away.Store(true)
	w.native("development", undiscovered).want(t, http.StatusServiceUnavailable, "provider_unavailable")
	w.provider.away.Store(false)
	w.clock.advance(discoveryPause)
	w.begin(newLogin()) // discovers, and asks for no keys yet

	w.provider.away.Store(true)
	w.native("development", undiscovered).want(t, http.StatusServiceUnavailable, "provider_unavailable")
	w.provider.away.Store(false)
	w.tokens(w.native("development", undiscovered))
}
