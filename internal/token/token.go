// Package token signs and verifies access tokens.
package token

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/gofrs/uuid/v5"
	"github.com/maypok86/otter/v2"

	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/problem"
)

// The fixed words of our access tokens.
const (
	Issuer   = "wastecoach"
	Audience = "wastecoach-api"
	Lifetime = 15 * time.Minute
)

// Principal is who a request acts for.
type Principal struct {
	UserID    uuid.UUID
	SessionID string
	Name      string
	Expiry    time.Time
}

type claims struct {
	jwt.Claims
	SessionID string `json:"sid,omitempty"`
	Name      string `json:"name,omitempty"`
}

// Sign returns an access token (EdDSA) that names its key by kid.
func Sign(key ed25519.PrivateKey, kid string, p Principal, now time.Time) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.EdDSA, Key: jose.JSONWebKey{Key: key, KeyID: kid}},
		(&jose.SignerOptions{}).WithType("at+jwt"),
	)
	if err != nil {
		return "", fmt.Errorf("preparing the signer: %w", err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("making a token id: %w", err)
	}
	return jwt.Signed(signer).Claims(claims{
		Claims: jwt.Claims{
			Issuer:    Issuer,
			Subject:   p.UserID.String(),
			Audience:  jwt.Audience{Audience},
			Expiry:    jwt.NewNumericDate(now.Add(Lifetime)),
			NotBefore: jwt.NewNumericDate(now),
			IssuedAt:  jwt.NewNumericDate(now),
			ID:        id.String(),
		},
		SessionID: p.SessionID,
		Name:      p.Name,
	}).Serialize()
}

// Verifier checks access tokens against a key set.
type Verifier struct {
	verifier *oidc.IDTokenVerifier
	// known remembers checked tokens for knownFor: phones poll twice a second with the same one.
	known *otter.Cache[string, Principal]
	now   func() time.Time
}

const (
	knownTokens = 20_000
	knownFor    = time.Minute
)

// NewVerifier returns a Verifier. keys are RemoteKeys in production.
func NewVerifier(keys oidc.KeySet, now func() time.Time) (*Verifier, error) {
	known, err := otter.New(&otter.Options[string, Principal]{
		MaximumSize:      knownTokens,
		ExpiryCalculator: otter.ExpiryWriting[string, Principal](knownFor),
	})
	if err != nil {
		return nil, fmt.Errorf("making the token cache: %w", err)
	}
	verifier := oidc.NewVerifier(Issuer, observedKeys{keys}, &oidc.Config{
		ClientID: Audience, SupportedSigningAlgs: []string{oidc.EdDSA}, Now: now,
	})
	return &Verifier{verifier: verifier, known: known, now: now}, nil
}

// ErrUnauthorized says that a request has no usable access token.
var ErrUnauthorized = problem.New(
	problem.Unauthorized, "unauthorized", "A valid access token is needed.",
)

// ErrKeysUnavailable says that a token cannot be checked now; it may well be valid.
var ErrKeysUnavailable = problem.New(
	problem.Unavailable, "keys_unavailable", "Access tokens cannot be checked now.",
)

// observedKeys remembers why keys could not be had: go-oidc turns that into a bad signature.
type observedKeys struct{ oidc.KeySet }

type (
	lookup    struct{ err error }
	lookupKey struct{}
)

// VerifySignature implements oidc.KeySet.
func (k observedKeys) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	payload, err := k.KeySet.VerifySignature(ctx, jwt)
	if l, ok := ctx.Value(lookupKey{}).(*lookup); ok {
		l.err = err
	}
	return payload, err
}

// keysAway tells whether the keys could not be had. oidc.RemoteKeySet has no error type for an
// answer other than 200, only this text.
func keysAway(err error) bool {
	return outage.Is(err) || err != nil && strings.HasPrefix(err.Error(), "fetching keys ")
}

// Verify returns who the token speaks for, or ErrUnauthorized.
func (v *Verifier) Verify(ctx context.Context, raw string) (Principal, error) {
	if p, ok := v.known.GetIfPresent(raw); ok && v.now().Before(p.Expiry) {
		return p, nil
	}
	var keys lookup
	checked, err := v.verifier.Verify(context.WithValue(ctx, lookupKey{}, &keys), raw)
	if keysAway(keys.err) {
		return Principal{}, ErrKeysUnavailable.Because(keys.err)
	}
	if err != nil {
		return Principal{}, ErrUnauthorized.Because(err)
	}
	var c claims
	if err := checked.Claims(&c); err != nil {
		return Principal{}, ErrUnauthorized.Because(err)
	}
	user, err := uuid.FromString(c.Subject)
	if err != nil {
		return Principal{}, ErrUnauthorized.Because(err)
	}
	p := Principal{UserID: user, SessionID: c.SessionID, Name: c.Name, Expiry: checked.Expiry}
	v.known.Set(raw, p)
	return p, nil
}
