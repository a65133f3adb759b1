package locations

import (
	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/redisdb"
)

// Config is what LOCATIONS_… variables say.
type Config struct {
	HTTP     httpserver.Config `envPrefix:"HTTP_"`
	Postgres postgres.Config   `envPrefix:"POSTGRES_"`
	Redis    redisdb.Config    `envPrefix:"REDIS_"`
	// Seed fills an empty table with the points that come with the binary.
	Seed bool `env:"SEED" envDefault:"true"`
}

// LoadConfig reads the LOCATIONS_… variables.
func LoadConfig(environ []string) (Config, error) {
	var cfg Config
	if err := env.Load(&cfg, "LOCATIONS_", environ); err != nil {
		return Config{}, err
	}
	return cfg, nil
}
