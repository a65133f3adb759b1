package auth

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
)

// naver is Naver's older login at the wire: errors of the token endpoint come with status 200, the
// lifetime is a string, and a profile says who it is.
type naver struct {
	*httptest.Server

	mu            sync.Mutex
	form          url.Values
	status        int
	token, answer string
}

const (
	naverToken  = `{"access_token": "t-1", "refresh_token": "r", "token_type": "bearer", "expires_in": "3600"}`
	naverPerson = `{"resultcode": "00", "message": "success", "response": {"id": "n-1", "nickname": "나무"}}`
)

func setupNaver(t *testing.T) (*world, *naver) {
	t.Helper()
	n := &naver{status: http.StatusOK, token: naverToken, answer: naverPerson}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth2.0/token", func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		_ = r.ParseForm()
		n.form = r.PostForm
		w.Header().Set("Content-Type", "application/json;charset=utf-8")
		_, _ = w.Write([]byte(n.token))
	})
	mux.HandleFunc("GET /v1/nid/me", func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer t-1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(n.status)
		_, _ = w.Write([]byte(n.answer))
	})
	n.Server = httptest.NewServer(mux)
	t.Cleanup(n.Close)
	w := setup(t)
	cfg := testConfig(n.URL + "/oauth2.0").Providers[1]
	cfg.ID, cfg.Scopes = "naver", nil
	cfg.OAuth2 = &OAuth2Config{
		AuthorizationEndpoint: n.URL + "/oauth2.0/authorize", TokenEndpoint: n.URL + "/oauth2.0/token",
		ProfileEndpoint: n.URL + "/v1/nid/me",
	}
	w.cfg.Providers = append(w.cfg.Providers, cfg)
	_, w.keys, w.url = w.replica(w.cfg)
	return w, n
}

func naverLogin() login {
	l := newLogin()
	l.provider = "naver"
	return l
}

func TestNaverLogin(t *testing.T) {
	t.Parallel()
	w, n := setupNaver(t)
	l := naverLogin()
	address := w.begin(l)
	if got := address.String(); address.Path != "/oauth2.0/authorize" || address.Query().Has("nonce") ||
		address.Query().Has("scope") || address.Query().Get("state") != l.state {
		t.Errorf("the browser goes to %s", got)
	}
	tokens := w.tokens(w.finish(l, "c-1"))
	if p := w.principal(tokens.AccessToken); p.Name != "나무" {
		t.Errorf("principal %+v", p)
	}
	for name, want := range map[string]string{
		"code": "c-1", "state": l.state, "client_id": "auth", "client_secret": "s3cret",
		"grant_type": "authorization_code", "redirect_uri": l.redirect, "code_verifier": l.verifier,
	} {
		if n.form.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, n.form.Get(name), want)
		}
	}
	again := naverLogin()
	w.begin(again)
	if got := w.tokens(w.finish(again, "c-2")); got.UserID != tokens.UserID {
		t.Error("one person is two users")
	}
	var issuer string
	err := w.pool.QueryRow(t.Context(), `SELECT issuer FROM identities WHERE subject = 'n-1'`).Scan(&issuer)
	if err != nil || issuer != n.URL+"/oauth2.0" {
		t.Errorf("kept under issuer %q, %v", issuer, err)
	}
}

func TestNaverFaults(t *testing.T) {
	t.Parallel()
	w, n := setupNaver(t)
	const noCode = `{"error": "invalid_request", "error_description": "no valid data in session"}`
	for name, tt := range map[string]struct {
		token  string
		status int
		answer string
		want   int
		code   string
	}{
		"replayed code":    {noCode, 200, naverPerson, 401, "login_refused"},
		"does not know us": {`{"error": "unauthorized_client"}`, 200, naverPerson, 503, "provider_unavailable"},
		"token refused":    {`{"access_token": "t-2", "token_type": "bearer"}`, 200, "", 503, "provider_unavailable"},
		"result code":      {naverToken, 200, `{"resultcode": "024", "response": {"id": "n-1"}}`, 401, "login_refused"},
		"nobody":           {naverToken, 200, `{"resultcode": "00", "response": {"id": ""}}`, 401, "login_refused"},
		"no response":      {naverToken, 200, `{"resultcode": "00"}`, 401, "login_refused"},
		"error":            {naverToken, 500, "", 503, "provider_unavailable"},
		"noise":            {naverToken, 200, "<html>", 503, "provider_unavailable"},
		"id is a number":   {naverToken, 200, `{"response": {"id": 1}}`, 503, "provider_unavailable"},
		"none of these":    {naverToken, 200, naverPerson, 200, ""},
	} {
		t.Run(name, func(t *testing.T) {
			n.mu.Lock()
			n.token, n.status, n.answer = tt.token, tt.status, tt.answer
			n.mu.Unlock()
			l := naverLogin()
			w.begin(l)
			got := w.finish(l, "c")
			if got.status != tt.want || got.problem.Code != tt.code {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.want, tt.code)
			}
		})
	}
}

// An app's word for it, an access token or somebody's ID token, is no login where there is no nonce.
func TestNaverTakesNoTokensOfApps(t *testing.T) {
	t.Parallel()
	w, _ := setupNaver(t)
	raw := base64.RawURLEncoding.EncodeToString([]byte("{}"))
	w.native("naver", raw+"."+raw+".").want(t, http.StatusUnprocessableEntity, "native_login_off")
	w.send(http.MethodPost, "/naver/token", "", `{"access_token": "t-1"}`).
		want(t, http.StatusBadRequest, "malformed")
}
