package auth

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/env"
)

const twoProviders = `[
	{"id": "google", "name": "Google", "issuer": "https://accounts.google.com", "client_id": "c",
	 "client_secret": "s3cret", "redirect_uris": ["https://app.example.com/login"]},
	{"id": "dev", "name": "Dev", "issuer": "http://127.0.0.1:9000", "client_id": "c",
	 "redirect_uris": ["http://127.0.0.1/login"], "scopes": ["openid"], "interactive": false}]`

func TestLoadConfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "providers.json")
	if err := os.WriteFile(file, []byte(twoProviders), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, providers := range map[string]string{
		"value": "AUTH_PROVIDERS=" + twoProviders, "path": "AUTH_PROVIDERS=" + file,
		"secret file": "AUTH_PROVIDERS_FILE=" + file,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := LoadConfig([]string{
				"AUTH_POSTGRES_DSN=postgres://auth@db/wastecoach", "AUTH_MASTER_KEY=" + masterKey, providers,
			})
			if err != nil {
				t.Fatal(err)
			}
			if cfg.Session.Idle != 14*day || cfg.Session.Absolute != 90*day || len(cfg.Providers) != 2 {
				t.Errorf("config %+v", cfg)
			}
			google, dev := cfg.Providers[0], cfg.Providers[1]
			if google.ClientSecret.Reveal() != "s3cret" || !google.public().Interactive ||
				len(google.Scopes) != 2 || dev.public().Interactive {
				t.Errorf("providers %+v", cfg.Providers)
			}
		})
	}
}

func TestProviderFaults(t *testing.T) {
	t.Parallel()
	entry := func(replace ...string) string {
		return "[" + strings.NewReplacer(replace...).Replace(
			`{"id": "a", "name": "A", "issuer": "https://a.example", "client_id": "c",`+
				` "redirect_uris": ["x:/y"]}`) + "]"
	}
	good := entry()
	if _, err := parseProviders(good); err != nil {
		t.Fatal(err)
	}
	naver := func(endpoint, more string) string {
		return entry(`"name"`, `"oauth2": {"authorization_endpoint": "https://a.example/a",
			"token_endpoint": "https://a.example/t", "profile_endpoint": "`+endpoint+`"}`+more+`, "name"`)
	}
	if _, err := parseProviders(naver("https://a.example/me", "")); err != nil {
		t.Fatal(err)
	}
	for want, source := range map[string]string{
		"oauth2 needs three endpoints":   naver("http://a.example/me", ""),
		"which oauth2 has not":           naver("https://a.example/me", `, "audiences": ["phone"]`),
		"audiences has an empty one":     entry(`"name"`, `"audiences": [""], "name"`),
		"neither a JSON list nor a file": "/nowhere",
		"the list is empty":              "[]",
		"unknown field":                  entry(`"name"`, `"naem"`),
		"id must be":                     entry(`"a"`, `"A b"`),
		"no route of ours":               entry(`"a"`, `"sessions"`),
		"name and client_id":             entry(`"c"`, `""`),
		"issuer must be an https URL":    entry("https:", "http:"),
		`scopes must have "openid"`:      entry(`"name"`, `"scopes": ["profile"], "name"`),
		"redirect_uris must name":        entry(`"x:/y"`, ""),
		"another one named":              strings.Replace(good+good, "][", ",", 1),
		"reading client_secret_file":     entry(`"name"`, `"client_secret_file": "/nowhere", "name"`),
	} {
		if _, err := parseProviders(source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", source, err, want)
		}
	}
}

func TestMasterKeyFaults(t *testing.T) {
	t.Parallel()
	for _, key := range []env.Secret{"", "not base64", "MDEyMw=="} {
		cfg := Config{MasterKey: key}
		if _, err := cfg.masterKey(); err == nil || !strings.Contains(err.Error(), "openssl rand") {
			t.Errorf("%q: %v", key.Reveal(), err)
		}
	}
}

func TestAllowsRedirect(t *testing.T) {
	t.Parallel()
	p := ProviderConfig{RedirectURIs: []string{
		"https://app.example.com/login", "com.example.app:/login", "http://127.0.0.1/login", "http://[::1]/login",
	}}
	for uri, want := range map[string]bool{
		"https://app.example.com/login":        true,
		"https://app.example.com/login/":       false,
		"https://app.example.com:444/login":    false,
		"https://app.example.com/login?next=x": false,
		"https://APP.example.com/login":        false,
		"com.example.app:/login":               true,
		"http://127.0.0.1/login":               true,
		"http://127.0.0.1:51234/login":         true,
		"http://127.0.0.1:51234/login?x=1":     false,
		"http://127.0.0.1:51234/other":         false,
		"https://127.0.0.1:51234/login":        false,
		"http://127.0.0.2:51234/login":         false,
		"http://127.0.0.1.evil.example/login":  false,
		"http://u:p@127.0.0.1:1/login":         false,
		"http://[::1]:8080/login":              true,
		"http://localhost:8080/login":          false,
	} {
		if got := p.allowsRedirect(uri); got != want {
			t.Errorf("%s: %t, want %t", uri, got, want)
		}
	}
}

func TestCleanName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"\t김민지\x00\n": "김민지", "a\xffb": "ab", strings.Repeat("가", 200): strings.Repeat("가", 100),
	} {
		if got := cleanName(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
