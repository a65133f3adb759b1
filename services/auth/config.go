package auth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/redisdb"
)

// Config is read from the variables AUTH_….
type Config struct {
	HTTP     httpserver.Config `envPrefix:"HTTP_"`
	Postgres postgres.Config   `envPrefix:"POSTGRES_"`
	Redis    redisdb.Config    `envPrefix:"REDIS_"`
	Session  SessionConfig     `envPrefix:"SESSION_"`
	// MasterKey is 32 bytes in base64; it seals the signing keys and authenticates the refresh
	// tokens. Another one ends all sessions and makes the service refuse to start.
	MasterKey env.Secret `env:"MASTER_KEY,required"`
	// InternalToken opens the routes that only the users service may call; empty closes them.
	InternalToken env.Secret `env:"INTERNAL_TOKEN"`
	// ProviderList is the JSON list of providers, or the path of a file with it, e.g.
	//
	//	[{"id": "google", "name": "Google", "issuer": "https://accounts.google.com",
	//	  "client_id": "…apps.googleusercontent.com", "client_secret_file": "/run/secrets/google",
	//	  "redirect_uris": ["https://app.example.com/login", "http://127.0.0.1/login"],
	//	  "audiences": ["…apps.googleusercontent.com"]},
	//	 {"id": "kakao", "name": "카카오", "issuer": "https://kauth.kakao.com",
	//	  "scopes": ["openid", "profile_nickname"], …},
	//	 {"id": "naver", "name": "네이버", "issuer": "https://nid.naver.com", …}]
	//
	// A Naver application that was not registered for OpenID has the older login instead:
	//
	//	{"id": "naver", "name": "네이버", "issuer": "https://nid.naver.com/oauth2.0",
	//	 "oauth2": {"authorization_endpoint": "https://nid.naver.com/oauth2.0/authorize",
	//	            "token_endpoint": "https://nid.naver.com/oauth2.0/token",
	//	            "profile_endpoint": "https://openapi.naver.com/v1/nid/me"}, …}
	ProviderList env.Secret `env:"PROVIDERS,required"`
	// Providers is what ProviderList says; LoadConfig fills it.
	Providers []ProviderConfig `env:"-"`
}

// SessionConfig holds the times of a session's life.
type SessionConfig struct {
	// Idle ends a session whose refresh token nobody used for so long.
	Idle time.Duration `env:"IDLE" envDefault:"336h"`
	// Absolute ends every session so long after its login.
	Absolute time.Duration `env:"ABSOLUTE" envDefault:"2160h"`
	// ReplayWindow is how long a used refresh token still gets the same successor: the answer
	// may have been lost on its way.
	ReplayWindow time.Duration `env:"REPLAY_WINDOW" envDefault:"60s"`
}

// LoadConfig reads the configuration from environ.
func LoadConfig(environ []string) (Config, error) {
	var cfg Config
	if err := env.Load(&cfg, "AUTH_", environ); err != nil {
		return Config{}, err
	}
	var err error
	if cfg.Providers, err = parseProviders(cfg.ProviderList.Reveal()); err != nil {
		return Config{}, fmt.Errorf("reading AUTH_PROVIDERS: %w", err)
	}
	return cfg, nil
}

const masterKeySize = 32

func (c *Config) masterKey() ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(c.MasterKey.Reveal())
	if err != nil || len(key) != masterKeySize {
		return nil, errors.New("AUTH_MASTER_KEY must be 32 bytes in base64: openssl rand -base64 32")
	}
	return key, nil
}
