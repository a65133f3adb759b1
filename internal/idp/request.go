package idp

import (
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// request is one login from the authorization endpoint to the token.
type request struct {
	oidc.AuthRequest
	id       string
	user     string
	authTime time.Time
	expires  time.Time
}

func (r *request) GetID() string          { return r.id }
func (r *request) GetACR() string         { return "" }
func (r *request) GetAudience() []string  { return []string{r.ClientID} }
func (r *request) GetAuthTime() time.Time { return r.authTime }
func (r *request) GetClientID() string    { return r.ClientID }
func (r *request) GetNonce() string       { return r.Nonce }
func (r *request) GetScopes() []string    { return r.Scopes }
func (r *request) GetSubject() string     { return r.user }
func (r *request) Done() bool             { return r.user != "" }

func (r *request) GetResponseMode() oidc.ResponseMode { return r.ResponseMode }

func (r *request) GetAMR() []string { return nil }

func (r *request) GetCodeChallenge() *oidc.CodeChallenge {
	return &oidc.CodeChallenge{Challenge: r.CodeChallenge, Method: r.CodeChallengeMethod}
}
