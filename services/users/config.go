package users

import (
	"time"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/postgres"
)

// Config is read from the variables USERS_….
type Config struct {
	HTTP     httpserver.Config `envPrefix:"HTTP_"`
	Postgres postgres.Config   `envPrefix:"POSTGRES_"`
	// JWKSURL is where the auth service publishes its keys.
	JWKSURL string `env:"JWKS_URL,required"`
	// WasteURL is the base URL of the waste service.
	WasteURL string `env:"WASTE_URL,required"`
	// WasteTimeout bounds one question to the waste service.
	WasteTimeout time.Duration `env:"WASTE_TIMEOUT" envDefault:"3s"`
}

// LoadConfig reads the configuration from environ.
func LoadConfig(environ []string) (Config, error) {
	var cfg Config
	err := env.Load(&cfg, "USERS_", environ)
	return cfg, err
}
