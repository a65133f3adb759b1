package httpserver_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/audit"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/ratelimit"
	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/token"
)

// edge is a frame that listens, with the routes /things for anybody, /mine for users and /dear,
// which is costly. Each answers with the client's address.
type edge struct {
	*bundle
	url string
	key ed25519.PrivateKey
}

func startEdge(t *testing.T, cfg httpserver.Config) *edge {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(&oidc.StaticKeySet{PublicKeys: []crypto.PublicKey{public}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	e := &edge{bundle: setup(t, nil), key: private}
	answer := httpserver.Handle(func(c *gin.Context) error {
		c.String(http.StatusOK, c.ClientIP())
		return nil
	})
	for _, route := range []string{"/things", "/others"} {
		e.API.GET(route, answer)
		e.API.POST(route, answer)
	}
	e.API.POST("/mine", verifier.Require(), answer)
	e.API.POST("/dear", httpserver.Costly, answer)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e.url = "http://" + listener.Addr().String()
	cfg.DrainTimeout = 10 * time.Second
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- e.Serve(ctx, listener, cfg) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return e
}

func (e *edge) ask(t *testing.T, method, path string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, e.url+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(body)}
}

func (e *edge) bearer(t *testing.T) string {
	t.Helper()
	raw, err := token.Sign(e.key, "", token.Principal{UserID: uuid.Must(uuid.NewV7())}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return "Bearer " + raw
}

func networks(t *testing.T, text string) httpserver.Networks {
	t.Helper()
	var n httpserver.Networks
	if err := n.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return n
}

const things = "/api/v1/demo/things"

func TestAddressComesFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	const client, forged = "203.0.113.7", "198.51.100.66"
	alone := startEdge(t, httpserver.Config{})
	behind := startEdge(t, httpserver.Config{TrustedProxies: networks(t, "127.0.0.0/8,10.0.0.0/8")})
	for name, tt := range map[string]struct {
		edge    *edge
		headers []string
		want    string
	}{
		"no proxy is trusted":      {alone, []string{"X-Forwarded-For", forged}, "127.0.0.1"},
		"the proxy's word":         {behind, []string{"X-Forwarded-For", client}, client},
		"a forged one before it":   {behind, []string{"X-Forwarded-For", forged + ", " + client}, client},
		"forged in another header": {behind, []string{"X-Forwarded-For", forged, "X-Forwarded-For", client}, client},
		"two proxies":              {behind, []string{"X-Forwarded-For", client + ", 10.1.2.3"}, client},
		"a forged trusted one":     {behind, []string{"X-Forwarded-For", "10.6.6.6, " + client}, client},
		"garbage":                  {behind, []string{"X-Forwarded-For", "' OR 1=1 --"}, "127.0.0.1"},
		"garbage at the end":       {behind, []string{"X-Forwarded-For", client + ", x"}, "127.0.0.1"},
		"other headers":            {behind, []string{"X-Real-Ip", forged, "Forwarded", "for=" + forged}, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := tt.edge.ask(t, http.MethodGet, things, tt.headers...); got.body != tt.want {
				t.Errorf("%d, address %q, want %q", got.status, got.body, tt.want)
			}
		})
	}
}

func TestLimitOfARoute(t *testing.T) {
	t.Parallel()
	e := startEdge(t, httpserver.Config{
		TrustedProxies: networks(t, "127.0.0.0/8"),
		Limits:         httpserver.LimitConfig{Writes: ratelimit.Per(2, time.Hour)},
	})
	for _, remaining := range []string{"1", "0"} {
		got := e.ask(t, http.MethodPost, things)
		if got.status != http.StatusOK || got.header.Get("RateLimit-Policy") != `"writes";q=2;w=3600` ||
			!strings.HasPrefix(got.header.Get("RateLimit"), `"writes";r=`+remaining+`;t=`) {
			t.Fatalf("%+v", got)
		}
	}
	refused := e.ask(t, http.MethodPost, things)
	doc := document(t, refused)
	if doc.Status != http.StatusTooManyRequests || doc.Code != "rate_limited" || !doc.Retryable {
		t.Errorf("%+v", doc)
	}
	if wait := refused.header.Get("Retry-After"); wait != "1800" && wait != "1799" {
		t.Errorf("Retry-After %s", wait)
	}
	for name, got := range map[string]answer{
		"another address": e.ask(t, http.MethodPost, things, "X-Forwarded-For", "203.0.113.7"),
		"another route":   e.ask(t, http.MethodPost, "/api/v1/demo/others"),
		"reading":         e.ask(t, http.MethodGet, things),
		"a user":          e.ask(t, http.MethodPost, "/api/v1/demo/mine", "Authorization", e.bearer(t)),
	} {
		if got.status != http.StatusOK {
			t.Errorf("%s: %+v", name, got)
		}
	}
	metrics := e.ask(t, http.MethodGet, "/metrics").body
	if !strings.Contains(metrics, `demo_http_limited_total{policy="writes",route="`+things+`"} 1`) {
		t.Error("the refusal was not counted")
	}
}

func TestUsersAreCountedByTheirToken(t *testing.T) {
	t.Parallel()
	e := startEdge(t, httpserver.Config{
		TrustedProxies: networks(t, "127.0.0.0/8"),
		Limits:         httpserver.LimitConfig{Writes: ratelimit.Per(1, time.Hour)},
	})
	mine, other := e.bearer(t), e.bearer(t)
	for _, tt := range []struct {
		who, bearer, address string
		want                 int
	}{
		{"I", mine, "203.0.113.1", http.StatusOK},
		{"another user at my address", other, "203.0.113.1", http.StatusOK},
		{"I at another address", mine, "203.0.113.2", http.StatusTooManyRequests},
	} {
		got := e.ask(t, http.MethodPost, "/api/v1/demo/mine",
			"Authorization", tt.bearer, "X-Forwarded-For", tt.address)
		if got.status != tt.want {
			t.Errorf("%s: %+v", tt.who, got)
		}
	}
}

func TestLimitOfAnAddress(t *testing.T) {
	t.Parallel()
	e := startEdge(t, httpserver.Config{
		TrustedProxies: networks(t, "127.0.0.0/8"),
		Limits:         httpserver.LimitConfig{Address: ratelimit.Per(3, time.Hour)},
	})
	from := func(address, path string) int {
		return e.ask(t, http.MethodGet, path, "X-Forwarded-For", address).status
	}
	for _, tt := range []struct {
		address, path string
		want          int
	}{
		{"2001:db8::1", things, http.StatusOK},
		{"2001:db8::2", "/nothing", http.StatusNotFound}, // of the same subscriber
		{"2001:db8::3", things, http.StatusOK},
		{"2001:db8::4", things, http.StatusTooManyRequests},
		{"2001:db8::4", "/nothing", http.StatusTooManyRequests},
		{"2001:db8::4", "/healthz", http.StatusOK},
		{"2001:db8:0:1::1", things, http.StatusOK},
		{"203.0.113.7", things, http.StatusOK},
	} {
		if got := from(tt.address, tt.path); got != tt.want {
			t.Errorf("%s from %s: %d, want %d", tt.path, tt.address, got, tt.want)
		}
	}
}

func TestCostlyRoutesHaveTheirOwnLimit(t *testing.T) {
	t.Parallel()
	e := startEdge(t, httpserver.Config{Limits: httpserver.LimitConfig{
		Writes: ratelimit.Per(100, time.Hour), Costly: ratelimit.Per(1, time.Hour),
	}})
	first, second := e.ask(t, http.MethodPost, "/api/v1/demo/dear"), e.ask(t, http.MethodPost, "/api/v1/demo/dear")
	if first.status != http.StatusOK || second.status != http.StatusTooManyRequests ||
		second.header.Get("RateLimit-Policy") != `"costly";q=1;w=3600` {
		t.Errorf("%+v, then %+v", first, second)
	}
}

func TestCrossOrigin(t *testing.T) {
	t.Parallel()
	const page, foreign = "https://app.example.com", "https://evil.example"
	open := startEdge(t, httpserver.Config{CORSOrigins: []httpserver.Origin{page}})
	closed := startEdge(t, httpserver.Config{})
	for name, tt := range map[string]struct {
		edge   *edge
		origin string
		want   string
	}{
		"a page that may":       {open, page, page},
		"a page that may not":   {open, foreign, ""},
		"nearly the page":       {open, page + ".evil.example", ""},
		"another scheme":        {open, "http://app.example.com", ""},
		"no page":               {open, "null", ""},
		"nobody is configured":  {closed, page, ""},
		"nobody, and it is odd": {closed, "*", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain := tt.edge.ask(t, http.MethodGet, things, "Origin", tt.origin)
			if plain.status != http.StatusOK || plain.header.Get("Access-Control-Allow-Origin") != tt.want {
				t.Errorf("%+v", plain)
			}
			asked := tt.edge.ask(t, http.MethodOptions, "/api/v1/demo/mine", "Origin", tt.origin,
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type")
			if asked.header.Get("Access-Control-Allow-Origin") != tt.want {
				t.Errorf("preflight: %+v", asked)
			}
			if tt.want != "" && (asked.status != http.StatusNoContent ||
				asked.header.Get("Access-Control-Allow-Credentials") != "" ||
				!strings.Contains(plain.header.Get("Access-Control-Expose-Headers"), "Retry-After")) {
				t.Errorf("preflight: %+v", asked)
			}
			if tt.edge == open && plain.header.Get("Vary") != "Origin" {
				t.Error("a cache would give the answer to another page")
			}
		})
	}
}

func TestConfigTexts(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"*", "https://*.example.com", "app.example.com", "https://app.example.com/", "https://app.example.com/path",
		"ftp://app.example.com", "https://user@app.example.com", "null", "https://",
	} {
		if err := new(httpserver.Origin).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("origin %q was taken", text)
		}
	}
	for _, text := range []string{"10.0.0.1", "10.0.0.0/33", "proxy", "10.0.0.0/8;::1/128"} {
		if err := new(httpserver.Networks).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("network %q was taken", text)
		}
	}
	if err := new(httpserver.Networks).UnmarshalText([]byte(" 10.0.0.0/8, ::1/128,")); err != nil {
		t.Error(err)
	}
}

func TestEveryAnswerHasTheHeadersOfSafety(t *testing.T) {
	t.Parallel()
	e := startEdge(t, httpserver.Config{})
	for path, cache := range map[string]string{
		things: "no-store", "/nothing": "no-store", "/healthz": "no-store",
		"/api/v1/demo/openapi.json": "public, max-age=300",
	} {
		got := e.ask(t, http.MethodGet, path)
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Content-Security-Policy":      "default-src 'none'; frame-ancestors 'none'",
			"Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": cache,
		} {
			if got.header.Get(name) != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got.header.Get(name), want)
			}
		}
	}
}

func TestBoundsOfARequest(t *testing.T) {
	t.Parallel()
	e := startEdge(t, httpserver.Config{})
	if got := e.ask(t, http.MethodGet, things, "Cookie", strings.Repeat("a", 64<<10)); got.status !=
		http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a huge header: %d", got.status)
	}
	b := setup(t, nil)
	b.route("/ends", func(c *gin.Context) error {
		if end, ok := c.Request.Context().Deadline(); !ok || time.Until(end) > time.Minute {
			t.Errorf("the handler may take until %s", end)
		}
		audit.New(telemetry.NewLogger(b.log, "demo", nil)).Write(c, audit.Event{Name: "asked", Actor: audit.Nobody})
		return nil
	})
	b.do(t, http.MethodGet, "/api/v1/demo/ends", "", "X-Request-Id", "request-1")
	lines := b.log.with(t, "audit")
	if len(lines) != 1 || lines[0]["address"] != "192.0.2.1" || lines[0]["request_id"] != "request-1" {
		t.Errorf("audit lines %v", lines)
	}
}
