package token_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/token"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode)
	os.Exit(m.Run())
}

// keyServer publishes keys as auth does.
type keyServer struct {
	mu      sync.Mutex
	keys    jose.JSONWebKeySet
	status  atomic.Int64
	fetches atomic.Int64
	*httptest.Server
}

func (s *keyServer) publish(t *testing.T, kid string) ed25519.PrivateKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys.Keys = append(s.keys.Keys, jose.JSONWebKey{
		Key: public, KeyID: kid, Algorithm: string(jose.EdDSA), Use: "sig",
	})
	return private
}

// bundle is a verifier with a clock that the test turns.
type bundle struct {
	*token.Verifier
	server *keyServer
	key    ed25519.PrivateKey
	who    token.Principal
	clock  atomic.Pointer[time.Time]
	start  time.Time
}

func (b *bundle) turn(d time.Duration) {
	now := b.start.Add(d)
	b.clock.Store(&now)
}

func setup(t *testing.T) *bundle {
	t.Helper()
	s := &keyServer{}
	s.status.Store(http.StatusOK)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.fetches.Add(1)
		s.mu.Lock()
		defer s.mu.Unlock()
		w.WriteHeader(int(s.status.Load()))
		_ = json.NewEncoder(w).Encode(s.keys)
	}))
	t.Cleanup(s.Close)
	b := &bundle{server: s, key: s.publish(t, "key-1"), start: time.Unix(1_900_000_000, 0)}
	b.who = token.Principal{
		UserID: uuid.Must(uuid.NewV7()), SessionID: "session", Name: "재활용",
		Expiry: b.start.Add(token.Lifetime),
	}
	b.turn(0)
	var err error
	b.Verifier, err = token.NewVerifier(
		oidc.NewRemoteKeySet(context.WithoutCancel(t.Context()), s.URL),
		func() time.Time { return *b.clock.Load() },
	)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bundle) sign(t *testing.T) string {
	t.Helper()
	raw, err := token.Sign(b.key, "key-1", b.who, b.start)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// forge signs any claims with any key.
func forge(t *testing.T, alg jose.SignatureAlgorithm, key any, kid string, claims jwt.Claims) string {
	t.Helper()
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", kid))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func unsigned(t *testing.T, claims jwt.Claims) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none","kid":"key-1"}`)) + "." + encode(body) + "."
}

func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := b.sign(t)
	for range 3 {
		got, err := b.Verify(t.Context(), raw)
		got.Expiry = got.Expiry.In(b.who.Expiry.Location())
		if err != nil || got != b.who {
			t.Fatalf("got %+v, %v, want %+v", got, err, b.who)
		}
	}
	if n := b.server.fetches.Load(); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
	if another := b.sign(t); another == raw {
		t.Error("two tokens are the same: the id is missing")
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	public, ok := b.key.Public().(ed25519.PublicKey)
	if !ok {
		t.Fatal("no Ed25519 key")
	}
	good := func() jwt.Claims {
		return jwt.Claims{
			Issuer: token.Issuer, Audience: jwt.Audience{token.Audience}, Subject: b.who.UserID.String(),
			Expiry:    jwt.NewNumericDate(b.start.Add(token.Lifetime)),
			NotBefore: jwt.NewNumericDate(b.start), IssuedAt: jwt.NewNumericDate(b.start),
		}
	}
	changed := func(change func(*jwt.Claims)) string {
		claims := good()
		change(&claims)
		return forge(t, jose.EdDSA, b.key, "key-1", claims)
	}
	parts := strings.Split(b.sign(t), ".")
	tests := map[string]struct {
		raw  string
		pass bool
	}{
		"as it should be": {changed(func(*jwt.Claims) {}), true},
		"expired": {changed(func(c *jwt.Claims) {
			c.Expiry = jwt.NewNumericDate(b.start.Add(-time.Second))
		}), false},
		"never expires": {changed(func(c *jwt.Claims) { c.Expiry = nil }), false},
		"not yet valid": {changed(func(c *jwt.Claims) {
			c.NotBefore = jwt.NewNumericDate(b.start.Add(6 * time.Minute))
		}), false},
		"other issuer":       {changed(func(c *jwt.Claims) { c.Issuer = "https://accounts.google.com" }), false},
		"other audience":     {changed(func(c *jwt.Claims) { c.Audience = jwt.Audience{"other-api"} }), false},
		"no audience":        {changed(func(c *jwt.Claims) { c.Audience = nil }), false},
		"subject is no UUID": {changed(func(c *jwt.Claims) { c.Subject = "admin" }), false},
		"no subject":         {changed(func(c *jwt.Claims) { c.Subject = "" }), false},
		"alg none":           {unsigned(t, good()), false},
		"HS256 with the public key": {
			forge(t, jose.HS256, []byte(public), "key-1", good()), false,
		},
		"a stranger's key":         {forge(t, jose.EdDSA, stranger, "key-1", good()), false},
		"a stranger's unknown key": {forge(t, jose.EdDSA, stranger, "key-9", good()), false},
		"empty":                    {"", false},
		"garbage":                  {"garbage", false},
		"without signature":        {parts[0] + "." + parts[1] + ".", false},
		"other payload": {
			parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{}`)) + "." + parts[2], false,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for range 2 { // the second time it could come from the cache
				_, err := b.Verify(t.Context(), tt.raw)
				if tt.pass && err != nil {
					t.Errorf("refused: %v", err)
				}
				if !tt.pass && !errors.Is(err, token.ErrUnauthorized) {
					t.Errorf("got %v", err)
				}
			}
		})
	}
}

func TestUnknownKeyIsFetched(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if _, err := b.Verify(t.Context(), b.sign(t)); err != nil {
		t.Fatal(err)
	}
	raw, err := token.Sign(b.server.publish(t, "key-2"), "key-2", b.who, b.start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Verify(t.Context(), raw); err != nil {
		t.Errorf("a token of the new key: %v", err)
	}
	if n := b.server.fetches.Load(); n != 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

func TestKnownTokenEndsWithItsExpiry(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := b.sign(t)
	for _, after := range []time.Duration{0, token.Lifetime - time.Second} {
		b.turn(after)
		if _, err := b.Verify(t.Context(), raw); err != nil {
			t.Fatalf("after %s: %v", after, err)
		}
	}
	b.turn(token.Lifetime + time.Second)
	if _, err := b.Verify(t.Context(), raw); !errors.Is(err, token.ErrUnauthorized) {
		t.Errorf("after its end: %v", err)
	}
}

func TestKeyServerAway(t *testing.T) {
	t.Parallel()
	b := setup(t)
	known := b.sign(t)
	if _, err := b.Verify(t.Context(), known); err != nil {
		t.Fatal(err)
	}
	raw, err := token.Sign(b.server.publish(t, "key-2"), "key-2", b.who, b.start)
	if err != nil {
		t.Fatal(err)
	}
	b.server.status.Store(http.StatusServiceUnavailable)
	if _, err := b.Verify(t.Context(), raw); !errors.Is(err, token.ErrKeysUnavailable) {
		t.Errorf("a key server that is not ready: %v", err)
	}
	b.server.Close()
	if _, err := b.Verify(t.Context(), raw); !errors.Is(err, token.ErrKeysUnavailable) {
		t.Errorf("without the key server: %v", err)
	}
	if _, err := b.Verify(t.Context(), known); err != nil {
		t.Errorf("a known token of a known key: %v", err)
	}
}

func TestRequire(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw := b.sign(t)
	tests := map[string]struct {
		header string
		pass   bool
	}{
		"bearer":       {"Bearer " + raw, true},
		"lower case":   {"bearer " + raw, true},
		"none":         {"", false},
		"bare":         {raw, false},
		"other scheme": {"Basic " + raw, false},
		"empty":        {"Bearer ", false},
		"forged":       {"Bearer " + raw[:len(raw)-4] + "AAAA", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engine := gin.New()
			var refused error
			engine.Use(func(c *gin.Context) {
				c.Next()
				if last := c.Errors.Last(); last != nil {
					refused = last.Err
				}
			})
			engine.GET("/", b.Require(), func(c *gin.Context) {
				c.String(http.StatusOK, token.From(c).UserID.String())
			})
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
			r.Header.Set("Authorization", tt.header)
			engine.ServeHTTP(w, r)
			if passed := w.Body.String() == b.who.UserID.String(); passed != tt.pass {
				t.Errorf("passed: %t, body %q", passed, w.Body)
			}
			if !tt.pass && !errors.Is(refused, token.ErrUnauthorized) {
				t.Errorf("refused with %v", refused)
			}
		})
	}
}
