package recycling

import (
	"errors"
	"fmt"
	"time"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/redisdb"
)

// Config is what RECYCLING_… variables say. Queue and Lease serve the worker only. The LLM's name is
// part of the cache's keys, so API and worker have to name the same one.
type Config struct {
	HTTP     httpserver.Config    `envPrefix:"HTTP_"`
	Postgres postgres.Config      `envPrefix:"POSTGRES_"`
	Redis    redisdb.Config       `envPrefix:"REDIS_"`
	LLM      modelprovider.Config `envPrefix:"LLM_"`
	Queue    queue.Config         `envPrefix:"QUEUE_"`
	// InternalToken opens the routes that only the users service may call; empty closes them.
	InternalToken env.Secret `env:"INTERNAL_TOKEN"`
	// Lease is how long a job stays with a worker that no longer renews it.
	Lease time.Duration `env:"LEASE" envDefault:"6s"`
	// Retention is how long the answers of jobs are kept after their last use.
	Retention time.Duration `env:"RETENTION" envDefault:"168h"`
}

// LoadConfig reads the RECYCLING_… variables.
func LoadConfig(environ []string) (Config, error) {
	var cfg Config
	if err := env.Load(&cfg, "RECYCLING_", environ); err != nil {
		return Config{}, err
	}
	return cfg, cfg.validate()
}

func (c Config) validate() error {
	if c.Lease < time.Second || c.Retention < time.Hour {
		return errors.New("the lease must be at least 1s and the retention at least 1h")
	}
	if err := c.LLM.Validate(); err != nil {
		return fmt.Errorf("checking the LLM's configuration: %w", err)
	}
	return nil
}
