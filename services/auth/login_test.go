package auth

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/wastecoach/wastecoach/internal/token"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := newLogin()
	first := w.logIn(l)
	// The session begins a moment before the answer.
	lasts := time.Duration(first.RefreshExpiresIn) * time.Second
	if first.TokenType != "Bearer" || first.ExpiresIn != 900 || lasts > 14*day || lasts < 14*day-time.Minute {
		t.Errorf("tokens %+v", first)
	}

	// As every other service does it: by the published keys.
	keys := oidc.NewRemoteKeySet(t.Context(), w.url+prefix+"/.well-known/jwks.json")
	verifier, err := token.NewVerifier(keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	p, err := verifier.Verify(t.Context(), first.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	if p.UserID != first.UserID || p.SessionID != first.SessionID.String() || p.Name != "김민지" {
		t.Errorf("principal %+v of tokens %+v", p, first)
	}

	again := w.logIn(newLogin())
	if again.UserID != first.UserID || again.SessionID == first.SessionID {
		t.Errorf("second login: user %s session %s", again.UserID, again.SessionID)
	}
	other := newLogin()
	other.hint = "u-2"
	if got := w.logIn(other); got.UserID == first.UserID {
		t.Error("two people are one user")
	}
}

func TestProvidersAreListedInOrder(t *testing.T) {
	t.Parallel()
	w := setup(t)
	got := w.send(http.MethodGet, "/providers", "", nil)
	want := `{"providers":[{"id":"development","name":"Development","interactive":false,"native":true},` +
		`{"id":"twin","name":"Development","interactive":true,"native":false}]}`
	if string(got.body) != want {
		t.Errorf("got %s, want %s", got.body, want)
	}
}

func TestAuthorizeHandsOurWordsToTheProvider(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := newLogin()
	l.hint = "u-2"
	l.change = func(q url.Values) { q.Set("locale", "ko") }
	q := w.begin(l).Query()
	for name, want := range map[string]string{
		"client_id": "auth", "response_type": "code", "redirect_uri": l.redirect, "state": l.state,
		"scope": "openid profile", "code_challenge_method": "S256", "ui_locales": "ko", "login_hint": "u-2",
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if len(q.Get("nonce")) != 43 {
		t.Errorf("nonce %q", q.Get("nonce"))
	}
}

func TestAuthorizeRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tests := map[string]struct {
		provider string
		change   func(url.Values)
		status   int
		code     string
		pointer  string
	}{
		"unknown provider": {"nobody", nil, 404, "provider_not_found", ""},
		"foreign redirect": {"", set("redirect_uri", "https://evil.example/login"), 422, "invalid", "redirect_uri"},
		"other path":       {"", set("redirect_uri", "http://127.0.0.1:1/other"), 422, "invalid", "redirect_uri"},
		"other loopback":   {"", set("redirect_uri", "http://localhost:1/login"), 422, "invalid", "redirect_uri"},
		"user in redirect": {"", set("redirect_uri", "http://a@127.0.0.1:1/login"), 422, "invalid", "redirect_uri"},
		"no redirect":      {"", set("redirect_uri", ""), 422, "invalid", "redirect_uri"},
		"fragment":         {"", set("redirect_uri", callback+"#x"), 422, "invalid", "redirect_uri"},
		"plain method":     {"", set("code_challenge_method", "plain"), 422, "invalid", "code_challenge_method"},
		"no challenge":     {"", set("code_challenge", ""), 422, "invalid", "code_challenge"},
		"short state":      {"", set("state", strings.Repeat("s", 15)), 422, "invalid", "state"},
		"odd state":        {"", set("state", "abcdefghijklmnop\n"), 422, "invalid", "state"},
		"unknown locale":   {"", set("locale", "fr"), 422, "invalid", "locale"},
		"long hint":        {"", set("login_hint", strings.Repeat("h", 201)), 422, "invalid", "login_hint"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := newLogin()
			l.change = tt.change
			if tt.provider != "" {
				l.provider = tt.provider
			}
			got := w.send(http.MethodGet, l.authorizeTarget(), "", nil)
			got.want(t, tt.status, tt.code)
			if tt.pointer != "" && (len(got.problem.Errors) != 1 || got.problem.Errors[0].Pointer != tt.pointer) {
				t.Errorf("faults %+v, want one about %s", got.problem.Errors, tt.pointer)
			}
		})
	}
}

func set(name, value string) func(url.Values) {
	return func(q url.Values) { q.Set(name, value) }
}

func TestStateServesOneLogin(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := newLogin()
	code := w.visit(l, w.begin(l))
	w.send(http.MethodGet, l.authorizeTarget(), "", nil).want(t, http.StatusConflict, "state_in_use")
	w.tokens(w.finish(l, code))
	w.finish(l, code).want(t, http.StatusUnauthorized, "state_unknown")
}

func TestOneCodeAtTheSameTimeMakesOneSession(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := newLogin()
	code := w.visit(l, w.begin(l))
	const tries = 8
	statuses := make([]int, tries)
	var group sync.WaitGroup
	for i := range tries {
		group.Go(func() { statuses[i] = w.finish(l, code).status })
	}
	group.Wait()
	made := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			made++
		} else if status != http.StatusUnauthorized {
			t.Errorf("status %d", status)
		}
	}
	if made != 1 {
		t.Errorf("%d sessions of one code", made)
	}
}

func TestTokenRefusals(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tests := map[string]struct {
		change func(l *login, code *string)
		code   string
	}{
		"wrong verifier": {func(l *login, _ *string) { l.verifier = newLogin().verifier }, "login_refused"},
		"invented code":  {func(_ *login, code *string) { *code = "invented" }, "login_refused"},
		"unknown state":  {func(l *login, _ *string) { l.state = newLogin().state }, "state_unknown"},
		"other redirect": {func(l *login, _ *string) { l.redirect = callback }, "state_unknown"},
		"other provider": {func(l *login, _ *string) { l.provider = "twin" }, "state_unknown"},
		"code of another login": {func(_ *login, code *string) {
			other := newLogin()
			*code = w.visit(other, w.begin(other))
		}, "login_refused"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLogin()
			code := w.visit(l, w.begin(l))
			tt.change(&l, &code)
			w.finish(l, code).want(t, http.StatusUnauthorized, tt.code)
		})
	}
}

func TestReplayedCodeIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := newLogin()
	code := w.visit(l, w.begin(l))
	w.tokens(w.finish(l, code))
	l.state = newLogin().state // with the same verifier, so that only the provider can refuse
	w.begin(l)
	w.finish(l, code).want(t, http.StatusUnauthorized, "login_refused")
}

func TestNonceMismatchIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := newLogin()
	address := w.begin(l)
	q := address.Query()
	q.Set("nonce", "of-another-login")
	address.RawQuery = q.Encode()
	w.finish(l, w.visit(l, address)).want(t, http.StatusUnauthorized, "login_refused")
}

func TestExpiredIDTokenIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.clock.advance(day) // the provider lives a day before us
	l := newLogin()
	w.finish(l, w.visit(l, w.begin(l))).want(t, http.StatusUnauthorized, "login_refused")
}

func TestStateExpires(t *testing.T) {
	t.Parallel()
	w := setup(t)
	l := newLogin()
	code := w.visit(l, w.begin(l))
	if ttl := w.redis.TTL(t.Context(), stateKey(l.state)).Val(); ttl <= 9*time.Minute || ttl > loginLifetime {
		t.Errorf("Redis forgets the state after %s", ttl)
	}
	w.clock.advance(loginLifetime)
	w.finish(l, code).want(t, http.StatusUnauthorized, "state_unknown")
}

func TestFirstLoginsAtOnceMakeOneAccount(t *testing.T) {
	t.Parallel()
	w := setup(t)
	done := make(chan Tokens, 8)
	var group sync.WaitGroup
	for range cap(done) {
		group.Go(func() { done <- w.logIn(newLogin()) })
	}
	group.Wait()
	close(done)
	user := (<-done).UserID
	for tokens := range done {
		if tokens.UserID != user {
			t.Errorf("first logins at once made users %s and %s", user, tokens.UserID)
		}
	}
	var accounts int
	err := w.pool.QueryRow(t.Context(), `SELECT count(*) FROM accounts`).Scan(&accounts)
	if err != nil || accounts != 1 {
		t.Errorf("%d accounts, %v", accounts, err)
	}
}

func TestProviderAway(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.provider.away.Store(true)
	if got := w.send(http.MethodGet, "/providers", "", nil); got.status != http.StatusOK {
		t.Fatalf("providers: %d", got.status)
	}
	l := newLogin()
	got := w.send(http.MethodGet, l.authorizeTarget(), "", nil)
	got.want(t, http.StatusServiceUnavailable, "provider_unavailable")
	if got.header.Get("Retry-After") != "1" {
		t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
	}

	w.provider.away.Store(false)
	w.clock.advance(discoveryPause)
	code := w.visit(l, w.begin(l))
	w.provider.away.Store(true)
	w.finish(l, code).want(t, http.StatusServiceUnavailable, "provider_unavailable")
	w.provider.away.Store(false)
	w.tokens(w.finish(l, code))
}
