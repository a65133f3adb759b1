package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
)

func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	contract.Routes(t, setup(t).server.Routes())
}

func TestFaultyBodies(t *testing.T) {
	t.Parallel()
	w := setup(t)
	bearer := w.logIn(newLogin()).AccessToken
	for _, target := range []string{"/development/token", "/development/link", "/refresh", "/logout"} {
		t.Run(target, func(t *testing.T) {
			w.send(http.MethodPost, target, bearer, `{"unknown": 1}`).want(t, http.StatusBadRequest, "malformed")
			w.send(http.MethodPost, target, bearer, `{} {}`).want(t, http.StatusBadRequest, "malformed")
			w.send(http.MethodPost, target, bearer, `{}`).want(t, http.StatusUnprocessableEntity, "invalid")
			w.send(http.MethodPost, target, bearer, nil).want(t, http.StatusUnsupportedMediaType, "not_json")
			huge := `{"refresh_token": "` + strings.Repeat("x", 70_000) + `"}`
			w.send(http.MethodPost, target, bearer, huge).want(t, http.StatusRequestEntityTooLarge, "body_too_large")
		})
	}
	w.send(http.MethodPost, "/nobody/token", "", newLogin().tokenRequest("c")).
		want(t, http.StatusNotFound, "provider_not_found")
}

// An app that took an outage for a refusal would throw its tokens away.
func TestOutageIsNoRefusal(t *testing.T) {
	t.Parallel()
	w := setup(t)
	tokens := w.logIn(newLogin())
	l := newLogin()
	code := w.visit(l, w.begin(l))
	idToken := w.sdk(w.issuer(), "phone", w.nonce("development"), "u-1")

	w.redis = redis.NewClient(&redis.Options{Addr: closedAddr(t), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = w.redis.Close() })
	_, w.keys, w.url = w.replica(w.cfg)
	for name, got := range map[string]answer{
		"authorize": w.send(http.MethodGet, newLogin().authorizeTarget(), "", nil),
		"token":     w.finish(l, code),
		"refresh":   w.refresh(tokens.RefreshToken),
		"logout":    w.send(http.MethodPost, "/logout", "", refreshRequest{tokens.RefreshToken}),
		"nonce":     w.send(http.MethodPost, "/development/nonce", "", nil),
		"native":    w.native("development", idToken),
		"link":      w.send(http.MethodPost, "/development/link", tokens.AccessToken, TokenRequest{IDToken: idToken}),
		"list":      w.send(http.MethodGet, "/identities", tokens.AccessToken, nil),
		"unlink":    w.send(http.MethodDelete, "/identities/"+tokens.UserID.String(), tokens.AccessToken, nil),
		"sessions":  w.send(http.MethodGet, "/sessions", tokens.AccessToken, nil),
		"end":       w.send(http.MethodDelete, "/sessions/"+tokens.SessionID.String(), tokens.AccessToken, nil),
	} {
		if got.status != http.StatusServiceUnavailable || got.problem.Code != "auth_unavailable" {
			t.Errorf("%s without Redis: %d %s", name, got.status, got.body)
		}
	}

	pool, err := pgxpool.New(t.Context(), "postgres://auth@"+closedAddr(t)+"/none")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	w.pool = pool
	_, _, w.url = w.replica(w.cfg)
	w.send(http.MethodGet, "/.well-known/jwks.json", "", nil).
		want(t, http.StatusServiceUnavailable, "auth_unavailable")
}

// Keys that were read once serve on while PostgreSQL restarts.
func TestKeysOutliveTheDatabase(t *testing.T) {
	t.Parallel()
	db, c := testdb.New(t, "auth"), &clock{}
	keys := newKeyring(t, db, "one master key", c.now)
	set, err := keys.current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	keys.store.pool.Close()
	c.advance(time.Hour)
	stale, err := keys.current(t.Context())
	if err != nil || stale.signer(c.now()).id != set.signer(c.now()).id {
		t.Errorf("without PostgreSQL: %v", err)
	}
}

func closedAddr(t *testing.T) string {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestServe(t *testing.T) {
	t.Parallel()
	db, r := testdb.New(t, "auth"), testredis.New(t)
	cfg := testConfig("http://127.0.0.1:1")
	cfg.HTTP = httpserver.Config{Addr: closedAddr(t), DrainTimeout: time.Second}
	cfg.Postgres = postgres.Config{DSN: env.Secret(db.DSN("auth")), MaxConns: 2}
	cfg.Redis = redisdb.Config{Addr: r.Addr(), FirstDB: r.FirstDB()}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, cfg, slog.New(slog.DiscardHandler)) }()
	waitReady(t, "http://"+cfg.HTTP.Addr)
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopping: %v", err)
	}

	cfg.MasterKey = env.Secret(anotherKey)
	if err := Serve(t.Context(), cfg, slog.New(slog.DiscardHandler)); !errors.Is(err, ErrMasterKey) {
		t.Errorf("with another master key: %v", err)
	}
}

func waitReady(t *testing.T, url string) {
	t.Helper()
	last := errors.New("not asked")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/readyz", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("status %d", resp.StatusCode)
		}
		last = err
		<-time.After(20 * time.Millisecond)
	}
	t.Fatalf("never ready: %v", last)
}
