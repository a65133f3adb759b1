// Package idp is an OpenID provider in this process, for development and tests.
package idp

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// User is somebody who can log in; there are no passwords.
type User struct {
	Sub   string
	Name  string
	Email string
}

// Client is a relying party.
type Client struct {
	ID string
	// Secret is asked at the token endpoint; a client without one is public and rests on PKCE.
	Secret string
	// RedirectURIs must match exactly; loopback ones match with any port (RFC 8252, 7.3).
	RedirectURIs []string
}

// Config says who may log in where.
type Config struct {
	// Issuer is the URL under which the Provider is reached, such as http://127.0.0.1:9000.
	Issuer string
	// Users has at least one; the first is the default user.
	Users []User
	// Clients has at least one.
	Clients []Client
	// AutoApprove logs in at once: the user that login_hint names (sub, name or e-mail), else
	// the default user. Otherwise a page asks.
	AutoApprove bool
	// KeyFile keeps the signing key over restarts; empty makes a new key each time.
	KeyFile string
	// Now is the clock of codes and logins; nil is time.Now.
	Now func() time.Time
}

// Provider serves discovery, authorization, token, JWKS and userinfo at paths under its issuer.
type Provider struct {
	http.Handler
	cfg     Config
	storage *storage
	op      *op.Provider
}

// New returns a Provider. Logins and tokens are kept in memory.
func New(cfg Config) (*Provider, error) {
	if cfg.Issuer == "" || len(cfg.Users) == 0 || len(cfg.Clients) == 0 {
		return nil, errors.New("the OpenID provider needs an issuer, a user and a client")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	key, err := loadKey(cfg.KeyFile)
	if err != nil {
		return nil, err
	}
	settings := &op.Config{
		CodeMethodS256: true, AuthMethodPost: true,
		SupportedScopes: []string{"openid", "profile", "email"},
		SupportedClaims: []string{"sub", "name", "email", "email_verified", "nonce"},
	}
	if _, err := rand.Read(settings.CryptoKey[:]); err != nil {
		return nil, fmt.Errorf("making the provider's key: %w", err)
	}
	p := &Provider{cfg: cfg, storage: newStorage(cfg, key)}
	// Development and tests have no TLS on loopback.
	p.op, err = op.NewProvider(settings, p.storage, op.StaticIssuer(cfg.Issuer), op.WithAllowInsecure())
	if err != nil {
		return nil, fmt.Errorf("making the OpenID provider: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.op)
	mux.Handle("GET /login", op.NewIssuerInterceptor(p.op.IssuerFromRequest).HandlerFunc(p.showLogin))
	mux.Handle("POST /login", op.NewIssuerInterceptor(p.op.IssuerFromRequest).HandlerFunc(p.login))
	p.Handler = mux
	return p, nil
}

// Issuer is the URL that relying parties are configured with.
func (p *Provider) Issuer() string { return p.cfg.Issuer }
