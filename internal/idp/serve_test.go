package idp

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "settings.json")
	config := `{"issuer": "https://idp.example", "autoApprove": true,
		"users": [{"sub": "dev", "name": "Dev", "email": "dev@example.com"}],
		"clients": [{"id": "app", "redirectURIs": ["http://127.0.0.1/callback"]}]}`
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := LoadServerConfig([]string{"IDP_SETTINGS_FILE=" + file})
	if err != nil {
		t.Fatal(err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveOn(ctx, l, cfg, slog.New(slog.DiscardHandler)) }()

	var found struct {
		Issuer string `json:"issuer"`
	}
	_, text := get(t, "http://"+l.Addr().String()+"/.well-known/openid-configuration")
	if err := json.Unmarshal(text, &found); err != nil || found.Issuer != "https://idp.example" {
		t.Errorf("discovery names the issuer %q, %v", found.Issuer, err)
	}
	if status, _ := get(t, "http://"+l.Addr().String()+"/healthz"); status != http.StatusNoContent {
		t.Errorf("health is %d", status)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it stopped with %v", err)
	}
}

func get(t *testing.T, url string) (status int, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

func TestParseSettingsRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"issuers": "x"}`:   "issuers",
		`{"issuer": "x"} {}`: "more after the first",
		``:                   "EOF",
	} {
		if _, err := parseSettings(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: no %q in %v", text, want, err)
		}
	}
}
