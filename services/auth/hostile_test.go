package auth

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The hostile suite brings ID tokens that are wrong in one thing by both ways in: as the answer to a
// code, and from an app. The provider is a process of its own whose key the forger has, so that
// each check has to stand alone.

// forgery is what can be wrong with an ID token. Each starts from one that the real provider issued
// a moment ago, to the right client and with the right nonce.
type forgery struct {
	t     *testing.T
	key   *rsa.PrivateKey // the provider's
	other *rsa.PrivateKey // somebody's
	kid   string
	raw   string
	idClaims
}

func newForgery(t *testing.T, p *providerProcess, other *rsa.PrivateKey, honest string) *forgery {
	t.Helper()
	f := &forgery{t: t, key: p.key, other: other, raw: honest}
	parts := strings.Split(honest, ".")
	var header struct{ Kid string }
	for i, into := range []any{&header, &f.idClaims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	f.kid = header.Kid
	return f
}

// with signs again as the provider does, one claim changed.
func with(claim string, value any) func(*forgery) string {
	return func(f *forgery) string {
		f.idClaims[claim] = value
		return sign(f.t, jose.RS256, f.key, f.kid, f.idClaims)
	}
}

// unsigned has the algorithm in its header and the signature given.
func (f *forgery) unsigned(alg, signature string) string {
	header, err := json.Marshal(map[string]string{"alg": alg, "kid": f.kid})
	if err != nil {
		f.t.Fatal(err)
	}
	body, err := json.Marshal(f.idClaims)
	if err != nil {
		f.t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode(header) + "." + encode(body) + "." + signature
}

func (f *forgery) publicKey() []byte {
	der, err := x509.MarshalPKIXPublicKey(f.key.Public())
	if err != nil {
		f.t.Fatal(err)
	}
	return der
}

// forgeries are by name; those that are named honest must be taken, or the others prove nothing.
func forgeries() map[string]func(*forgery) string {
	return map[string]func(*forgery) string{
		"honest":              func(f *forgery) string { return f.raw },
		"honest, signed anew": with("x", "y"),
		"wrong aud":           with("aud", "another-app"),
		"no aud":              with("aud", nil),
		"wrong iss":           with("iss", "https://evil.example"),
		"no iss":              with("iss", nil),
		"wrong nonce":         with("nonce", randomText()),
		"no nonce":            with("nonce", nil),
		"expired":             with("exp", time.Now().Add(-time.Minute).Unix()),
		"no exp":              with("exp", nil),
		"not yet valid":       with("nbf", time.Now().Add(time.Hour).Unix()),
		"no sub":              with("sub", ""),
		"alg none":            func(f *forgery) string { return f.unsigned("none", "") },
		"alg None":            func(f *forgery) string { return f.unsigned("None", "") },
		"alg none, signature kept": func(f *forgery) string {
			return f.unsigned("none", strings.Split(f.raw, ".")[2])
		},
		"signature of other claims": func(f *forgery) string {
			f.idClaims["sub"] = "u-2"
			return f.unsigned("RS256", strings.Split(f.raw, ".")[2])
		},
		"HS256 with the public key in DER": func(f *forgery) string {
			return sign(f.t, jose.HS256, f.publicKey(), f.kid, f.idClaims)
		},
		"HS256 with the public key in PEM": func(f *forgery) string {
			text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: f.publicKey()})
			return sign(f.t, jose.HS256, text, f.kid, f.idClaims)
		},
		"foreign key under the provider's kid": func(f *forgery) string {
			return sign(f.t, jose.RS256, f.other, f.kid, f.idClaims)
		},
		"provider's key under a swapped kid": func(f *forgery) string {
			return sign(f.t, jose.RS256, f.key, "swapped", f.idClaims)
		},
		"foreign key under its own kid": func(f *forgery) string {
			return sign(f.t, jose.RS256, f.other, "swapped", f.idClaims)
		},
		"noise": func(*forgery) string { return "a.b.c" },
	}
}

func TestHostileIDTokensByCode(t *testing.T) {
	t.Parallel()
	w, p := setupProcess(t)
	other := newRSAKey(t)
	for name, forge := range forgeries() {
		t.Run(name, func(t *testing.T) {
			l := newLogin()
			l.provider = "process"
			code := w.visit(l, w.begin(l))
			swap := func(honest string) string { return forge(newForgery(t, p, other, honest)) }
			p.forge.Store(&swap)
			got := w.finish(l, code)
			p.forge.Store(nil)
			w.judge(t, name, got)
		})
	}
}

func TestHostileIDTokensByNativeLogin(t *testing.T) {
	t.Parallel()
	w, p := setupProcess(t)
	other := newRSAKey(t)
	all := forgeries()
	// OpenID allows further audiences in the answer to a code, which only we have.
	all["foreign aud beside"] = with("aud", []string{"phone", "another-app"})
	all["aud of our own server"] = with("aud", "auth")
	for name, forge := range all {
		t.Run(name, func(t *testing.T) {
			honest := w.sdk(p.issuer, "phone", w.nonce("process"), "u-1")
			w.judge(t, name, w.native("process", forge(newForgery(t, p, other, honest))))
			if !strings.HasPrefix(name, "honest") {
				w.tokens(w.native("process", honest)) // a forgery uses no nonce up
			}
		})
	}
}

func (w *world) judge(t *testing.T, name string, got answer) {
	t.Helper()
	if !strings.HasPrefix(name, "honest") {
		got.want(t, http.StatusUnauthorized, "login_refused")
	} else if got.status != http.StatusOK {
		t.Errorf("an honest token: %d %s", got.status, got.body)
	}
}

func TestHostileReplays(t *testing.T) {
	t.Parallel()
	w, p := setupProcess(t)
	l := newLogin()
	l.provider = "process"
	code := w.visit(l, w.begin(l))
	w.tokens(w.finish(l, code))
	w.finish(l, code).want(t, http.StatusUnauthorized, "state_unknown")
	l.state = newLogin().state // with the same verifier, so that only the provider can refuse
	w.begin(l)
	w.finish(l, code).want(t, http.StatusUnauthorized, "login_refused")

	raw := w.sdk(p.issuer, "phone", w.nonce("process"), "u-1")
	w.tokens(w.native("process", raw))
	w.native("process", raw).want(t, http.StatusUnauthorized, "login_refused")
}

// Two honest providers, and somebody who swaps what comes from one for what comes from the other.
func TestHostileMixedUpIssuer(t *testing.T) {
	t.Parallel()
	w, p := setupProcess(t)
	begin := func(provider string) (login, string) {
		l := newLogin()
		l.provider = provider
		return l, w.visit(l, w.begin(l))
	}

	l, code := begin("process")
	l.provider = "development"
	w.finish(l, code).want(t, http.StatusUnauthorized, "state_unknown")

	l, _ = begin("process")
	_, code = begin("development")
	w.finish(l, code).want(t, http.StatusUnauthorized, "login_refused")

	l, code = begin("process")
	r := l.tokenRequest(code)
	r.Issuer = w.issuer()
	w.send(http.MethodPost, "/process/token", "", r).want(t, http.StatusUnauthorized, "login_refused")

	l, code = begin("process")
	r = l.tokenRequest(code)
	r.Issuer = p.issuer
	w.tokens(w.send(http.MethodPost, "/process/token", "", r))

	nonce := w.nonce("process")
	w.native("process", w.sdk(w.issuer(), "phone", nonce, "u-1")).
		want(t, http.StatusUnauthorized, "login_refused")
	w.native("development", w.sdk(w.issuer(), "phone", nonce, "u-1")).
		want(t, http.StatusUnauthorized, "login_refused")

	// The wire itself: the token endpoint of one answers with what the other signed.
	l, code = begin("process")
	foreign := w.sdk(w.issuer(), "phone", "", "u-1")
	swap := func(string) string { return foreign }
	p.forge.Store(&swap)
	w.finish(l, code).want(t, http.StatusUnauthorized, "login_refused")
}

// setupProcess adds to the world's provider one in a process of its own.
func setupProcess(t *testing.T) (*world, *providerProcess) {
	t.Helper()
	w, p := setup(t), startProvider(t)
	w.cfg.Providers = append(w.cfg.Providers, p.config())
	_, w.keys, w.url = w.replica(w.cfg)
	return w, p
}

func newRSAKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
