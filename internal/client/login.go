package client

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"time"

	"golang.org/x/oauth2"
)

// Provider is somebody who knows users, e.g. Kakao.
type Provider struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// Interactive tells that a person must answer in a browser.
	Interactive bool `json:"interactive"`
}

// Providers lists who a user can log in with.
func (c *Client) Providers(ctx context.Context) ([]Provider, error) {
	var got struct {
		Providers []Provider `json:"providers"`
	}
	err := c.doJSON(ctx, call{
		method: http.MethodGet, path: "/auth/providers", repeatable: true, anonymous: true,
	}, &got)
	if err != nil {
		return nil, fmt.Errorf("asking for the login providers: %w", err)
	}
	return got.Providers, nil
}

// ErrForeignAddress means that an address is not the end of this login.
var ErrForeignAddress = errors.New("the address belongs to another login")

// Login is one authorization code flow with PKCE that is under way.
type Login struct {
	// URL is what the user opens.
	URL         string
	provider    string
	redirectURI string
	state       string
	verifier    string
}

// StartLogin begins a login whose end comes back to redirectURI, a loopback address.
func (c *Client) StartLogin(provider, redirectURI string) Login {
	l := Login{
		provider: provider, redirectURI: redirectURI,
		state: rand.Text(), verifier: oauth2.GenerateVerifier(),
	}
	l.URL = c.base + prefix + "/auth/" + url.PathEscape(provider) + "/authorize?" + url.Values{
		"redirect_uri":          {redirectURI},
		"code_challenge":        {oauth2.S256ChallengeFromVerifier(l.verifier)},
		"code_challenge_method": {"S256"},
		"state":                 {l.state},
	}.Encode()
	return l
}

// FinishLogin trades the address that the provider sent the browser back to for tokens.
func (c *Client) FinishLogin(ctx context.Context, l Login, back *url.URL) (Tokens, error) {
	q := back.Query()
	if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.state)) != 1 {
		return Tokens{}, ErrForeignAddress
	}
	if refusal := q.Get("error"); refusal != "" {
		if why := q.Get("error_description"); why != "" {
			refusal += ": " + why
		}
		return Tokens{}, fmt.Errorf("the provider refused the login: %s", refusal)
	}
	if q.Get("code") == "" {
		return Tokens{}, errors.New("the address has no code")
	}
	body := map[string]string{
		"code": q.Get("code"), "code_verifier": l.verifier,
		"state": l.state, "redirect_uri": l.redirectURI,
	}
	if issuer := q.Get("iss"); issuer != "" {
		body["iss"] = issuer
	}
	tokens, err := c.tokensFrom(ctx, call{
		method: http.MethodPost, path: "/auth/" + url.PathEscape(l.provider) + "/token",
		anonymous: true, repeatable: true, // a code that was used up is refused, nothing worse
		body: body,
	})
	if err != nil {
		return Tokens{}, fmt.Errorf("finishing the login: %w", err)
	}
	return tokens, nil
}

const maxLoginHops = 15

// FollowLogin goes through the redirects of a provider that asks nobody anything, and finishes.
func (c *Client) FollowLogin(ctx context.Context, l Login) (Tokens, error) {
	back, err := c.follow(ctx, l)
	if err != nil {
		return Tokens{}, fmt.Errorf("following the login of %s: %w", l.provider, err)
	}
	return c.FinishLogin(ctx, l, back)
}

func (c *Client) follow(ctx context.Context, l Login) (*url.URL, error) {
	redirect, err := url.Parse(l.redirectURI)
	if err != nil {
		return nil, fmt.Errorf("reading the redirect address: %w", err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("making a cookie jar: %w", err)
	}
	var back *url.URL
	browser := &http.Client{
		Transport: c.http.Transport, Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if req.URL.Host == redirect.Host && req.URL.Path == redirect.Path {
				back = req.URL
				return http.ErrUseLastResponse
			}
			if len(via) >= maxLoginHops {
				return errors.New("it redirects without an end")
			}
			return nil
		},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	res, err := browser.Do(req)
	if err != nil {
		return nil, unreachable(req, err)
	}
	defer res.Body.Close()
	if back != nil {
		return back, nil
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, unreachable(req, err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return nil, newProblem(answer{status: res.StatusCode, header: res.Header, body: body})
	}
	return nil, errors.New("it shows a page instead of sending us back")
}
