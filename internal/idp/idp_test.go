package idp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/wastecoach/wastecoach/internal/idp"
)

const callback = "http://127.0.0.1/callback"

// party is a relying party and its browser.
type party struct {
	oauth2.Config
	verifier *oidc.IDTokenVerifier
	provider *oidc.Provider
	issuer   string
	browser  *http.Client
}

func users() []idp.User {
	return []idp.User{
		{Sub: "u-1", Name: "Minji", Email: "minji@example.com"},
		{Sub: "u-2", Name: "Jun", Email: "jun@example.com"},
	}
}

// start serves a provider; handler is set once the issuer is known.
func start(t *testing.T, change func(*idp.Config)) *party {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	cfg := idp.Config{
		Issuer: srv.URL, Users: users(), AutoApprove: true,
		Clients: []idp.Client{
			{ID: "app", RedirectURIs: []string{callback}},
			{ID: "auth", Secret: "s3cret", RedirectURIs: []string{callback, "https://app.example.com/callback"}},
		},
	}
	if change != nil {
		change(&cfg)
	}
	p, err := idp.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	handler = p
	discovered, err := oidc.NewProvider(t.Context(), srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &party{
		Config: oauth2.Config{
			ClientID: "auth", ClientSecret: "s3cret", RedirectURL: callback, Endpoint: discovered.Endpoint(),
			Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
		},
		verifier: discovered.Verifier(&oidc.Config{ClientID: "auth"}), provider: discovered, issuer: srv.URL,
		browser: &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), srv.URL+"/") {
				return nil
			}
			return http.ErrUseLastResponse
		}},
	}
}

// visit follows the provider's own redirects and returns where it sends the browser then, or
// the page it shows.
func (p *party) visit(t *testing.T, method, address string, form url.Values) (*url.URL, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := p.browser.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	location, err := resp.Location()
	if errors.Is(err, http.ErrNoLocation) {
		return nil, string(body)
	}
	if err != nil {
		t.Fatal(err)
	}
	return location, ""
}

// authorize returns the code that a login ends with.
func (p *party) authorize(t *testing.T, verifier string, opts ...oauth2.AuthCodeOption) string {
	t.Helper()
	opts = append(opts, oauth2.S256ChallengeOption(verifier), oidc.Nonce("n-1"))
	location, page := p.visit(t, http.MethodGet, p.AuthCodeURL("st-1", opts...), nil)
	if location == nil {
		t.Fatalf("no redirect but: %s", page)
	}
	q := location.Query()
	if q.Get("state") != "st-1" || q.Get("code") == "" {
		t.Fatalf("redirected to %s", location)
	}
	return q.Get("code")
}

type claims struct {
	Sub   string `json:"sub"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

func (p *party) redeem(ctx context.Context, code, verifier string) (claims, *oauth2.Token, error) {
	var got claims
	tok, err := p.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return got, nil, err
	}
	raw, _ := tok.Extra("id_token").(string)
	id, err := p.verifier.Verify(ctx, raw)
	if err != nil {
		return got, nil, err
	}
	if id.Nonce != "n-1" {
		return got, nil, errors.New("nonce is " + id.Nonce)
	}
	err = id.Claims(&got)
	return got, tok, err
}

func TestLogin(t *testing.T) {
	t.Parallel()
	public := func(p *party) {
		p.ClientID, p.ClientSecret = "app", ""
		p.verifier = p.provider.Verifier(&oidc.Config{ClientID: "app"})
	}
	for name, tc := range map[string]struct {
		opts   []oauth2.AuthCodeOption
		change func(*party)
		want   string
	}{
		"default user":  {nil, nil, "u-1"},
		"hint sub":      {[]oauth2.AuthCodeOption{oauth2.SetAuthURLParam("login_hint", "u-2")}, nil, "u-2"},
		"hint e-mail":   {[]oauth2.AuthCodeOption{oauth2.SetAuthURLParam("login_hint", "jun@example.com")}, nil, "u-2"},
		"public client": {nil, public, "u-1"},
		"loopback port": {nil, func(p *party) { p.RedirectURL = "http://127.0.0.1:43210/callback" }, "u-1"},
		"https":         {nil, func(p *party) { p.RedirectURL = "https://app.example.com/callback" }, "u-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, nil)
			if tc.change != nil {
				tc.change(p)
			}
			verifier := oauth2.GenerateVerifier()
			code := p.authorize(t, verifier, tc.opts...)
			got, tok, err := p.redeem(t.Context(), code, verifier)
			if err != nil {
				t.Fatal(err)
			}
			if got.Sub != tc.want || got.Name == "" || got.Email == "" {
				t.Errorf("ID token of %+v, want %s", got, tc.want)
			}
			info, err := p.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tok))
			if err != nil || info.Subject != tc.want || info.Email != got.Email || !info.EmailVerified {
				t.Errorf("userinfo %+v: %v", info, err)
			}
		})
	}
}

func TestCodeIsRefused(t *testing.T) {
	t.Parallel()
	for name, redeem := range map[string]func(t *testing.T, p *party, code, verifier string) error{
		"wrong verifier": func(t *testing.T, p *party, code, _ string) error {
			_, _, err := p.redeem(t.Context(), code, oauth2.GenerateVerifier())
			return err
		},
		"no verifier": func(t *testing.T, p *party, code, _ string) error {
			_, err := p.Exchange(t.Context(), code)
			return err
		},
		"replayed": func(t *testing.T, p *party, code, verifier string) error {
			if _, _, err := p.redeem(t.Context(), code, verifier); err != nil {
				t.Fatal(err)
			}
			_, _, err := p.redeem(t.Context(), code, verifier)
			return err
		},
		"wrong secret": func(t *testing.T, p *party, code, verifier string) error {
			p.ClientSecret = "guessed"
			_, _, err := p.redeem(t.Context(), code, verifier)
			return err
		},
		"other client": func(t *testing.T, p *party, code, verifier string) error {
			p.ClientID, p.ClientSecret = "app", ""
			_, _, err := p.redeem(t.Context(), code, verifier)
			return err
		},
		"other redirect": func(t *testing.T, p *party, code, verifier string) error {
			p.RedirectURL = "https://app.example.com/callback"
			_, _, err := p.redeem(t.Context(), code, verifier)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, nil)
			verifier := oauth2.GenerateVerifier()
			err := redeem(t, p, p.authorize(t, verifier), verifier)
			var refused *oauth2.RetrieveError
			if !errors.As(err, &refused) || refused.Response.StatusCode >= http.StatusInternalServerError {
				t.Errorf("want a refusal, got %v", err)
			}
		})
	}
}

func TestCodeExpires(t *testing.T) {
	t.Parallel()
	var passed atomic.Int64
	p := start(t, func(c *idp.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Duration(passed.Load())) }
	})
	verifier := oauth2.GenerateVerifier()
	code := p.authorize(t, verifier)
	passed.Store(int64(61 * time.Second))
	var refused *oauth2.RetrieveError
	if _, _, err := p.redeem(t.Context(), code, verifier); !errors.As(err, &refused) {
		t.Errorf("an old code: %v", err)
	}
}

func TestAuthorizeIsRefused(t *testing.T) {
	t.Parallel()
	challenge := oauth2.S256ChallengeOption(oauth2.GenerateVerifier())
	for name, tc := range map[string]struct {
		change func(*party)
		opts   []oauth2.AuthCodeOption
		// back is the error that the relying party is told; "" when it must not be told.
		back string
	}{
		"unknown redirect": {
			func(p *party) { p.RedirectURL = "https://evil.example.com/" },
			[]oauth2.AuthCodeOption{challenge},
			"",
		},
		"other path": {func(p *party) { p.RedirectURL += "/more" }, []oauth2.AuthCodeOption{challenge}, ""},
		"https other port": {
			func(p *party) { p.RedirectURL = "https://app.example.com:8443/callback" },
			[]oauth2.AuthCodeOption{challenge},
			"",
		},
		"unknown client": {func(p *party) { p.ClientID = "nobody" }, []oauth2.AuthCodeOption{challenge}, ""},
		"no PKCE":        {nil, nil, "invalid_request"},
		"plain PKCE": {nil, []oauth2.AuthCodeOption{
			oauth2.SetAuthURLParam("code_challenge", "plain-plain-plain-plain-plain-plain-plain-plain"),
			oauth2.SetAuthURLParam("code_challenge_method", "plain"),
		}, "invalid_request"},
		"unknown user": {
			nil, []oauth2.AuthCodeOption{challenge, oauth2.SetAuthURLParam("login_hint", "nobody")}, "access_denied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, nil)
			if tc.change != nil {
				tc.change(p)
			}
			location, page := p.visit(t, http.MethodGet, p.AuthCodeURL("st-1", tc.opts...), nil)
			switch {
			case location == nil && tc.back != "":
				t.Errorf("no redirect but: %s", page)
			case location != nil && tc.back == "":
				t.Errorf("redirected to %s", location)
			case location != nil && location.Query().Get("error") != tc.back:
				t.Errorf("redirected to %s", location)
			}
		})
	}
}

func TestLoginPage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		form  url.Values
		param string
		want  string
	}{
		"second user": {url.Values{"user": {"u-2"}}, "", "u-2"},
		"refused":     {url.Values{"deny": {"1"}}, "error", "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, func(c *idp.Config) { c.AutoApprove = false })
			verifier := oauth2.GenerateVerifier()
			address := p.AuthCodeURL("st-1", oauth2.S256ChallengeOption(verifier), oidc.Nonce("n-1"))
			_, page := p.visit(t, http.MethodGet, address, nil)
			if !strings.Contains(page, "Minji") || !strings.Contains(page, "jun@example.com") {
				t.Fatalf("the page does not list the users: %s", page)
			}
			id := regexp.MustCompile(`name="id" value="([^"]+)"`).FindStringSubmatch(page)
			if id == nil {
				t.Fatalf("no login id: %s", page)
			}
			tc.form.Set("id", id[1])
			location, answer := p.visit(t, http.MethodPost, p.issuer+"/login", tc.form)
			if location == nil {
				t.Fatalf("no redirect but: %s", answer)
			}
			if tc.param != "" {
				if got := location.Query().Get(tc.param); got != tc.want {
					t.Errorf("redirected to %s", location)
				}
				return
			}
			got, _, err := p.redeem(t.Context(), location.Query().Get("code"), verifier)
			if err != nil || got.Sub != tc.want {
				t.Errorf("logged in as %+v: %v", got, err)
			}
		})
	}
}

func TestKeyFileKeepsTheKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys", "idp.pem")
	withKey := func(c *idp.Config) { c.KeyFile = path }
	first, second, other := start(t, withKey), start(t, withKey), start(t, nil)
	keys := func(p *party) string {
		_, body := p.visit(t, http.MethodGet, p.issuer+"/keys", nil)
		return body
	}
	if keys(first) != keys(second) || keys(first) == keys(other) {
		t.Error("the key set does not come from the file")
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info.Mode(), err)
	}
	if err := os.WriteFile(path, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := idp.New(idp.Config{
		Issuer: "http://127.0.0.1:1", Users: users(), Clients: []idp.Client{{ID: "app"}}, KeyFile: path,
	}); err == nil {
		t.Error("a damaged key file is accepted")
	}
}
