package idp

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gofrs/uuid/v5"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

const (
	loginLifetime = 10 * time.Minute
	codeLifetime  = time.Minute
	tokenLifetime = 10 * time.Minute
)

var (
	errNoRequest = errors.New("this login is unknown or has expired: start again")
	errNoClient  = errors.New("unknown client or wrong secret")
	errNoUser    = errors.New("unknown user")
	errNoToken   = errors.New("unknown or expired token")
)

type code struct {
	request *request
	expires time.Time
}

type token struct {
	user    string
	expires time.Time
}

// storage is what the library asks for, in memory.
type storage struct {
	cfg Config
	key signingKey

	mu       sync.Mutex
	requests map[string]*request
	codes    map[string]code
	tokens   map[string]token
}

func newStorage(cfg Config, key signingKey) *storage {
	return &storage{
		cfg: cfg, key: key,
		requests: map[string]*request{}, codes: map[string]code{}, tokens: map[string]token{},
	}
}

// CreateAuthRequest keeps a checked request. PKCE with S256 is required of every client, as
// OAuth 2.1 does.
func (s *storage) CreateAuthRequest(_ context.Context, in *oidc.AuthRequest, _ string) (op.AuthRequest, error) {
	if in.CodeChallenge == "" || in.CodeChallengeMethod != oidc.CodeChallengeMethodS256 {
		return nil, oidc.ErrInvalidRequest().WithDescription("PKCE with S256 is required")
	}
	user, err := s.knownUser(in)
	if err != nil {
		return nil, err
	}
	id, err := uuid.NewV4()
	if err != nil {
		return nil, err
	}
	now := s.cfg.Now()
	r := &request{
		AuthRequest: *in, id: id.String(), user: user, authTime: now, expires: now.Add(loginLifetime),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purge(now)
	s.requests[r.id] = r
	return r, nil
}

// knownUser is "" when the page must ask.
func (s *storage) knownUser(in *oidc.AuthRequest) (string, error) {
	if !s.cfg.AutoApprove {
		if slices.Contains(in.Prompt, oidc.PromptNone) {
			return "", oidc.ErrLoginRequired()
		}
		return "", nil
	}
	if in.LoginHint == "" {
		return s.cfg.Users[0].Sub, nil
	}
	for _, u := range s.cfg.Users {
		if slices.Contains([]string{u.Sub, u.Name, u.Email}, in.LoginHint) {
			return u.Sub, nil
		}
	}
	return "", oidc.ErrAccessDenied().WithDescription("there is no such user")
}

func (s *storage) purge(now time.Time) {
	for id, r := range s.requests {
		if now.After(r.expires) {
			delete(s.requests, id)
		}
	}
	for id, c := range s.codes {
		if now.After(c.expires) {
			delete(s.codes, id)
		}
	}
	for id, t := range s.tokens {
		if now.After(t.expires) {
			delete(s.tokens, id)
		}
	}
}

// request returns a copy: approve may change the original meanwhile.
func (s *storage) request(id string) (*request, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok || s.cfg.Now().After(r.expires) {
		return nil, errNoRequest
	}
	snapshot := *r
	return &snapshot, nil
}

func (s *storage) approve(id, user string) error {
	if _, err := s.user(user); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return errNoRequest
	}
	r.user, r.authTime = user, s.cfg.Now()
	return nil
}

func (s *storage) forget(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.requests, id)
}

func (s *storage) user(sub string) (User, error) {
	for _, u := range s.cfg.Users {
		if u.Sub == sub {
			return u, nil
		}
	}
	return User{}, errNoUser
}

func (s *storage) AuthRequestByID(_ context.Context, id string) (op.AuthRequest, error) {
	return s.request(id)
}

// SaveAuthCode ends the login: one login gives one code.
func (s *storage) SaveAuthCode(_ context.Context, id, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, ok := s.requests[id]
	if !ok {
		return errNoRequest
	}
	delete(s.requests, id)
	s.codes[value] = code{request: r, expires: s.cfg.Now().Add(codeLifetime)}
	return nil
}

// AuthRequestByCode uses the code up, whatever comes of it.
func (s *storage) AuthRequestByCode(_ context.Context, value string) (op.AuthRequest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes[value]
	delete(s.codes, value)
	if !ok || s.cfg.Now().After(c.expires) {
		return nil, errNoRequest
	}
	return c.request, nil
}

func (s *storage) DeleteAuthRequest(_ context.Context, id string) error {
	s.forget(id)
	return nil
}

func (s *storage) CreateAccessToken(_ context.Context, r op.TokenRequest) (string, time.Time, error) {
	id, err := uuid.NewV4()
	if err != nil {
		return "", time.Time{}, err
	}
	expires := s.cfg.Now().Add(tokenLifetime)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[id.String()] = token{user: r.GetSubject(), expires: expires}
	return id.String(), expires, nil
}

func (s *storage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	for _, c := range s.cfg.Clients {
		if c.ID == id {
			return client{Client: c, issuer: s.cfg.Issuer}, nil
		}
	}
	return nil, errNoClient
}

func (s *storage) AuthorizeClientIDSecret(_ context.Context, id, secret string) error {
	for _, c := range s.cfg.Clients {
		if c.ID == id && subtle.ConstantTimeCompare([]byte(c.Secret), []byte(secret)) == 1 {
			return nil
		}
	}
	return errNoClient
}

func (s *storage) SigningKey(context.Context) (op.SigningKey, error) { return s.key, nil }

func (s *storage) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.RS256}, nil
}

func (s *storage) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{s.key}}, nil
}

func (s *storage) Health(context.Context) error { return nil }
