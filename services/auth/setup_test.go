package auth

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/oauth2"

	apidoc "github.com/wastecoach/wastecoach/api"
	"github.com/wastecoach/wastecoach/internal/apitest"
	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/idp"
	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
	"github.com/wastecoach/wastecoach/internal/token"
)

var contract = apitest.Must(apidoc.Document("auth"))

func TestMain(m *testing.M) {
	if issuer := os.Getenv(providerIssuer); issuer != "" {
		os.Exit(runProvider(issuer, os.Getenv(providerKey)))
	}
	os.Exit(testdb.Main(apitest.Covering(m, contract)))
}

const (
	prefix     = "/api/v1/auth"
	callback   = "http://127.0.0.1/login"
	masterKey  = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	anotherKey = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
)

// clock is the real one, moved on by the test.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// switchable is a provider that can be away.
type switchable struct {
	http.Handler
	away atomic.Bool
}

func (s *switchable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.away.Load() {
		http.Error(w, "away", http.StatusBadGateway)
		return
	}
	s.Handler.ServeHTTP(w, r)
}

// world is the service with a database, a Redis and a provider of its own.
type world struct {
	t        *testing.T
	clock    *clock
	provider *switchable
	pool     *pgxpool.Pool
	redis    *redis.Client
	cfg      Config
	server   *httpserver.Server
	keys     *keyring
	url      string
	browser  *http.Client
	log      *logBuffer
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, clock: &clock{}, provider: &switchable{}, log: &logBuffer{},
		pool: testdb.New(t, "auth").Pool("auth"), redis: testredis.New(t).Client(0),
	}
	issuer := httptest.NewServer(w.provider)
	t.Cleanup(issuer.Close)
	development, err := idp.New(idp.Config{
		Issuer: issuer.URL, AutoApprove: true,
		Users: people(), Clients: clients(),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.provider.Handler = development
	w.cfg = testConfig(issuer.URL)
	w.server, w.keys, w.url = w.replica(w.cfg)
	w.browser = &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/login" && r.URL.Query().Has("state") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	return w
}

func people() []idp.User {
	return []idp.User{{Sub: "u-1", Name: "김민지"}, {Sub: "u-2", Name: "Jun"}}
}

// clients are our server and, as a provider's own SDK has it, the app itself.
func clients() []idp.Client {
	return []idp.Client{
		{ID: "auth", Secret: "s3cret", RedirectURIs: []string{callback}},
		{ID: "phone", RedirectURIs: []string{callback}},
		{ID: "foreign", RedirectURIs: []string{callback}},
	}
}

func testConfig(issuer string) Config {
	automatic := false
	development := ProviderConfig{
		ID: "development", Name: "Development", Issuer: issuer, ClientID: "auth", ClientSecret: "s3cret",
		RedirectURIs: []string{callback}, Scopes: []string{"openid", "profile"}, Interactive: &automatic,
		Audiences: []string{"tablet", "phone"},
	}
	twin := development
	twin.ID, twin.Interactive, twin.Audiences = "twin", nil, nil
	return Config{
		MasterKey: env.Secret(masterKey), Providers: []ProviderConfig{development, twin},
		Session: SessionConfig{Idle: 14 * day, Absolute: 90 * day, ReplayWindow: time.Minute},
	}
}

const day = 24 * time.Hour

// replica starts one more server on the same stores.
func (w *world) replica(cfg Config) (*httpserver.Server, *keyring, string) {
	w.t.Helper()
	server, keys, err := newServer(parts{
		cfg: cfg, pool: w.pool, redis: w.redis, registry: prometheus.NewRegistry(),
		logger: telemetry.NewLogger(w.log, "auth", slog.LevelError), now: w.clock.now,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	listener := httptest.NewServer(contract.Wrap(w.t, server.Handler()))
	w.t.Cleanup(listener.Close)
	return server, keys, listener.URL
}

// answer is what the service said.
type answer struct {
	status  int
	header  http.Header
	body    []byte
	problem problem.Document
}

func (a answer) decode(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal(a.body, into); err != nil {
		t.Fatalf("decoding %q: %v", a.body, err)
	}
}

// want fails the test unless the answer is the problem with that status and code.
func (a answer) want(t *testing.T, status int, code string) {
	t.Helper()
	if a.status != status || a.problem.Code != code {
		t.Fatalf("got %d %s, want %d %s", a.status, a.body, status, code)
	}
}

func (w *world) send(method, target, bearer string, body any) answer {
	w.t.Helper()
	content, isText := body.(string)
	if body != nil && !isText {
		encoded, err := json.Marshal(body)
		if err != nil {
			w.t.Fatal(err)
		}
		content = string(encoded)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.url+prefix+target, strings.NewReader(content))
	if err != nil {
		w.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	req.Header.Set("User-Agent", "phone/1.0")
	return w.do(req, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}})
}

func (w *world) do(req *http.Request, client *http.Client) answer {
	w.t.Helper()
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	got := answer{status: resp.StatusCode, header: resp.Header, body: body}
	if resp.Header.Get("Content-Type") == problem.ContentType {
		got.decode(w.t, &got.problem)
	}
	return got
}

// login is one flow under way, as an app sees it.
type login struct {
	provider, redirect, state, verifier, hint string
	change                                    func(url.Values)
}

func newLogin() login {
	return login{
		provider: "development", redirect: "http://127.0.0.1:54321/login",
		state: rand.Text(), verifier: oauth2.GenerateVerifier(),
	}
}

func (l login) authorizeTarget() string {
	q := url.Values{
		"redirect_uri": {l.redirect}, "code_challenge": {oauth2.S256ChallengeFromVerifier(l.verifier)},
		"code_challenge_method": {"S256"}, "state": {l.state},
	}
	if l.hint != "" {
		q.Set("login_hint", l.hint)
	}
	if l.change != nil {
		l.change(q)
	}
	return "/" + l.provider + "/authorize?" + q.Encode()
}

// begin returns the provider's address.
func (w *world) begin(l login) *url.URL {
	w.t.Helper()
	got := w.send(http.MethodGet, l.authorizeTarget(), "", nil)
	if got.status != http.StatusFound {
		w.t.Fatalf("authorize: %d %s", got.status, got.body)
	}
	address, err := url.Parse(got.header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	return address
}

// visit lets the browser follow the provider until it is sent back to the app with a code.
func (w *world) visit(l login, address *url.URL) string {
	w.t.Helper()
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, address.String(), http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	got := w.do(req, w.browser)
	back, err := url.Parse(got.header.Get("Location"))
	if err != nil || !strings.HasPrefix(back.String(), l.redirect+"?") {
		w.t.Fatalf("the provider answered %d %s", got.status, got.body)
	}
	if back.Query().Get("state") != l.state {
		w.t.Fatalf("another state in %s", back)
	}
	return back.Query().Get("code")
}

func (l login) tokenRequest(code string) TokenRequest {
	return TokenRequest{Code: code, CodeVerifier: l.verifier, State: l.state, RedirectURI: l.redirect}
}

func (w *world) finish(l login, code string) answer {
	w.t.Helper()
	return w.send(http.MethodPost, "/"+l.provider+"/token", "", l.tokenRequest(code))
}

// logIn goes the whole way.
func (w *world) logIn(l login) Tokens {
	w.t.Helper()
	return w.tokens(w.finish(l, w.visit(l, w.begin(l))))
}

func (w *world) tokens(got answer) Tokens {
	w.t.Helper()
	if got.status != http.StatusOK {
		w.t.Fatalf("no tokens: %d %s", got.status, got.body)
	}
	var tokens Tokens
	got.decode(w.t, &tokens)
	return tokens
}

func (w *world) refresh(refreshToken string) answer {
	w.t.Helper()
	return w.send(http.MethodPost, "/refresh", "", map[string]string{"refresh_token": refreshToken})
}

func (w *world) principal(accessToken string) token.Principal {
	w.t.Helper()
	verifier, err := token.NewVerifier(w.keys, w.clock.now)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := verifier.Verify(w.t.Context(), accessToken)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}
