package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// liar is a provider at the wire that can say anything; its tokens have no authorization page.
type liar struct {
	*httptest.Server
	key *ecdsa.PrivateKey

	mu     sync.Mutex
	answer func(http.ResponseWriter)
	secret string
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := &liar{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{
			"issuer": l.URL, "authorization_endpoint": l.URL + "/authorize",
			"token_endpoint": l.URL + "/token", "jwks_uri": l.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		})
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		write(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256"}}})
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.secret = r.PostFormValue("client_secret")
		l.answer(w)
	})
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

func write(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

func (l *liar) says(answer func(http.ResponseWriter)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

type idClaims map[string]any

func (l *liar) claims(nonce string) idClaims {
	now := time.Now()
	return idClaims{
		"iss": l.URL, "aud": "auth", "sub": "u-1", "nonce": nonce, "nickname": "길동",
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}
}

func sign(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims idClaims) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key},
		(&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(map[string]any(claims)).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func setupLiar(t *testing.T) (*world, *liar) {
	t.Helper()
	w, l := setup(t), newLiar(t)
	cfg := testConfig(l.URL)
	_, w.keys, w.url = w.replica(cfg)
	return w, l
}

func TestTokenEndpointThatFails(t *testing.T) {
	t.Parallel()
	w, l := setupLiar(t)
	for name, tt := range map[string]struct {
		status int
		body   string
		want   int
		code   string
	}{
		"refuses the code":   {400, `{"error": "invalid_grant"}`, 401, "login_refused"},
		"does not know us":   {401, `{"error": "invalid_client"}`, 503, "provider_unavailable"},
		"has an error":       {500, `oops`, 503, "provider_unavailable"},
		"limits us":          {429, `{"error": "slow_down"}`, 503, "provider_unavailable"},
		"answers with noise": {200, `<html>`, 503, "provider_unavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			app := newLogin()
			w.begin(app)
			l.says(func(rw http.ResponseWriter) {
				rw.Header().Set("Content-Type", "application/json")
				rw.WriteHeader(tt.status)
				_, _ = rw.Write([]byte(tt.body))
			})
			w.finish(app, "code").want(t, tt.want, tt.code)
		})
	}
}

// A provider may want the secret in the body, and call a person by a nickname alone.
func TestProviderWithOtherHabits(t *testing.T) {
	t.Parallel()
	w, l := setupLiar(t)
	app := newLogin()
	raw := sign(t, jose.ES256, l.key, "k", l.claims(w.begin(app).Query().Get("nonce")))
	l.says(func(rw http.ResponseWriter) {
		write(rw, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": raw})
	})
	tokens := w.tokens(w.finish(app, "code"))
	if p := w.principal(tokens.AccessToken); p.Name != "길동" {
		t.Errorf("principal %+v", p)
	}
	if l.secret != "s3cret" {
		t.Errorf("the provider wanted the secret in the body, and got %q there", l.secret)
	}
}

// Not every provider checks PKCE, so we do too.
func TestProviderWithoutPKCE(t *testing.T) {
	t.Parallel()
	w, l := setupLiar(t)
	app := newLogin()
	nonce := w.begin(app).Query().Get("nonce")
	raw := sign(t, jose.ES256, l.key, "k", l.claims(nonce))
	l.says(func(rw http.ResponseWriter) {
		write(rw, map[string]any{"access_token": "a", "token_type": "Bearer", "id_token": raw})
	})
	app.verifier = newLogin().verifier
	w.finish(app, "code").want(t, http.StatusUnauthorized, "login_refused")
}
