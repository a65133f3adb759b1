package clienttest

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// UserID is the user's.
const UserID = "0198c0de-0000-7000-8000-000000000001"

var errUnauthorized = problem.New(problem.Unauthorized, "token_invalid", "Log in again.")

func (s *Server) providers(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]any{"providers": []map[string]any{
		{"id": "dev", "name": "Development", "interactive": s.Interactive},
	}})
}

func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("code_challenge_method") != "S256" || q.Get("code_challenge") == "" {
		Refuse(w, problem.New(problem.Malformed, "pkce_missing", "PKCE is required."))
		return
	}
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // the test's server has no TLS
		Name: "browser", Value: "same", Path: "/",
	})
	redirect(w, "/idp?"+q.Encode())
}

func (s *Server) idp(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie("browser"); err != nil {
		http.Error(w, "another browser", http.StatusForbidden)
		return
	}
	if s.Interactive && r.URL.Query().Get("password") == "" {
		_, _ = fmt.Fprintln(w, "Who are you?")
		return
	}
	redirect(w, s.Visit(r.URL.Query()))
}

func redirect(w http.ResponseWriter, location string) {
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusFound)
}

// Visit is where the provider sends the browser after a login with the given authorize query.
func (s *Server) Visit(authorize url.Values) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	code := fmt.Sprintf("code-%d", s.serial)
	s.logins[code] = authorize.Get("code_challenge")
	return authorize.Get("redirect_uri") + "?" + url.Values{
		"code": {code}, "state": {authorize.Get("state")},
	}.Encode()
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Code         string `json:"code"`
		CodeVerifier string `json:"code_verifier"`
		State        string `json:"state"`
		RedirectURI  string `json:"redirect_uri"`
	}
	if !read(w, r, &body) {
		return
	}
	s.mu.Lock()
	challenge, known := s.logins[body.Code]
	delete(s.logins, body.Code)
	s.mu.Unlock()
	if !known || challenge != oauth2.S256ChallengeFromVerifier(body.CodeVerifier) {
		Refuse(w, problem.New(problem.Malformed, "code_invalid", "The code is not valid."))
		return
	}
	s.issue(w)
}

func (s *Server) refreshToken(w http.ResponseWriter, r *http.Request) {
	var body struct {
		RefreshToken string `json:"refresh_token"`
	}
	if !read(w, r, &body) {
		return
	}
	s.mu.Lock()
	known := body.RefreshToken == s.refresh
	s.mu.Unlock()
	if !known {
		Refuse(w, problem.New(problem.Unauthorized, "refresh_invalid", "Log in again."))
		return
	}
	s.issue(w)
}

func (s *Server) issue(w http.ResponseWriter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	access := fmt.Sprintf("access-%d", s.serial)
	s.access[access] = time.Now().Add(s.AccessLife)
	s.refresh = fmt.Sprintf("refresh-%d", s.serial)
	reply(w, http.StatusOK, map[string]any{
		"access_token": access, "expires_in": int(s.AccessLife.Seconds()),
		"refresh_token": s.refresh, "refresh_expires_in": 86400,
		"user_id": UserID, "session_id": "session-1",
	})
}

func (s *Server) logout(w http.ResponseWriter, _ *http.Request) {
	s.ForgetLogins()
	w.WriteHeader(http.StatusNoContent)
}

// ForgetTokens makes every access token stale; the refresh token still is good.
func (s *Server) ForgetTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.access)
}

// ForgetLogins ends every session.
func (s *Server) ForgetLogins() {
	s.ForgetTokens()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refresh = "none"
}

func (s *Server) user(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		access := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		s.mu.Lock()
		until, known := s.access[access]
		s.mu.Unlock()
		if !known || time.Now().After(until) {
			Refuse(w, errUnauthorized)
			return
		}
		next(w, r)
	}
}
