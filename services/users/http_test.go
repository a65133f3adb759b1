package users

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/token"
)

func TestRoutesAreDocumented(t *testing.T) {
	t.Parallel()
	contract.Routes(t, setup(t).server.Routes())
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
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: public, KeyID: "k", Algorithm: string(jose.EdDSA), Use: "sig"},
		}})
	}))
	t.Cleanup(keys.Close)
	addr := closedAddr(t)
	cfg, err := LoadConfig([]string{
		"USERS_HTTP_ADDR=" + addr, "USERS_POSTGRES_DSN=" + testdb.New(t, "users").DSN("users"),
		"USERS_JWKS_URL=" + keys.URL, "USERS_WASTE_URL=http://127.0.0.1:1",
		"USERS_AUTH_URL=http://127.0.0.1:1", "USERS_RECYCLING_URL=http://127.0.0.1:1",
		"USERS_AUTH_INTERNAL_TOKEN=a", "USERS_WASTE_INTERNAL_TOKEN=w",
		"USERS_RECYCLING_INTERNAL_TOKEN=r", "USERS_S3_BUCKET=none",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, cfg, slog.New(slog.DiscardHandler)) }()
	waitOK(t, "http://"+addr+"/readyz", "")
	raw, err := token.Sign(key, "k", token.Principal{UserID: uuid.Must(uuid.NewV7())}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	waitOK(t, "http://"+addr+"/api/v1/users/me", raw)
	stop()
	if err := <-done; err != nil {
		t.Errorf("stopping: %v", err)
	}
}

func waitOK(t *testing.T, url, bearer string) {
	t.Helper()
	last := errors.New("not asked")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
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
	t.Fatalf("%s never answered 200: %v", url, last)
}
