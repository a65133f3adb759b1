package idp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/wastecoach/wastecoach/internal/daemon"
	"github.com/wastecoach/wastecoach/internal/env"
)

// ServerConfig is what IDP_… variables say.
type ServerConfig struct {
	Addr string `env:"ADDR" envDefault:":8080"`
	// Settings is JSON: {"issuer": "https://idp.example", "autoApprove": true,
	// "users": [{"sub", "name", "email"}], "clients": [{"id", "secret", "redirectURIs": []}]}.
	Settings env.Secret `env:"SETTINGS,required"`
}

// settings are those of Config that a file can have.
type settings struct {
	Issuer      string           `json:"issuer"`
	AutoApprove bool             `json:"autoApprove"`
	Users       []userSettings   `json:"users"`
	Clients     []clientSettings `json:"clients"`
}

type userSettings struct {
	Sub   string `json:"sub"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

type clientSettings struct {
	ID           string   `json:"id"`
	Secret       string   `json:"secret"`
	RedirectURIs []string `json:"redirectURIs"`
}

// LoadServerConfig reads the IDP_… variables.
func LoadServerConfig(environ []string) (ServerConfig, error) {
	var cfg ServerConfig
	err := env.Load(&cfg, "IDP_", environ)
	return cfg, err
}

// Serve is the provider as a server of its own, until ctx ends.
func Serve(ctx context.Context, cfg ServerConfig, logger *slog.Logger) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	return serveOn(ctx, listener, cfg, logger)
}

func serveOn(ctx context.Context, l net.Listener, cfg ServerConfig, logger *slog.Logger) error {
	parsed, err := parseSettings(cfg.Settings.Reveal())
	if err != nil {
		return errors.Join(err, l.Close())
	}
	provider, err := New(parsed)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	logger.WarnContext(ctx, "this OpenID provider asks for no password: it is for labs only",
		"issuer", provider.Issuer(), "addr", l.Addr().String())
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return daemon.Serve(ctx, l, mux, logger)
}

func parseSettings(text string) (Config, error) {
	var s settings
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&s)
	if err == nil && !errors.Is(decoder.Decode(new(any)), io.EOF) {
		err = errors.New("there is more after the first value")
	}
	if err != nil {
		return Config{}, fmt.Errorf("reading the provider's settings: %w", err)
	}
	cfg := Config{Issuer: s.Issuer, AutoApprove: s.AutoApprove}
	for _, u := range s.Users {
		cfg.Users = append(cfg.Users, User(u))
	}
	for _, c := range s.Clients {
		cfg.Clients = append(cfg.Clients, Client(c))
	}
	return cfg, nil
}
