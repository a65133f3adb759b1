package users

import (
	"time"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/erasure"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/postgres"
)

// Config is read from the variables USERS_….
type Config struct {
	HTTP     httpserver.Config `envPrefix:"HTTP_"`
	Postgres postgres.Config   `envPrefix:"POSTGRES_"`
	// S3 keeps exports, and has the photos that go into them.
	S3 objectstore.Config `envPrefix:"S3_"`
	// Auth, Waste and Recycling hold something of a user, too.
	Auth      erasure.Peer `envPrefix:"AUTH_"`
	Waste     erasure.Peer `envPrefix:"WASTE_"`
	Recycling erasure.Peer `envPrefix:"RECYCLING_"`
	// WasteTimeout bounds one question to the waste service.
	WasteTimeout time.Duration `env:"WASTE_TIMEOUT" envDefault:"3s"`
	// JWKSURL is where the auth service publishes its keys.
	JWKSURL  string         `env:"JWKS_URL,required"`
	Deletion DeletionConfig `envPrefix:"DELETION_"`
	Export   ExportConfig   `envPrefix:"EXPORT_"`
}

// DeletionConfig holds the times of a deletion.
type DeletionConfig struct {
	// Settle is how long after everything was erased it is looked for again. What was under way,
	// and what an access token or a presigned upload still allowed, is over by then: it must be
	// longer than both live.
	Settle time.Duration `env:"SETTLE" envDefault:"20m"`
	// Interval is how often the leader looks for deletions that are due.
	Interval time.Duration `env:"INTERVAL" envDefault:"1s"`
}

// ExportConfig holds the times of an export.
type ExportConfig struct {
	// Keep is how long a finished export can be fetched.
	Keep time.Duration `env:"KEEP" envDefault:"24h"`
	// Interval is how often the leader looks for exports that are due.
	Interval time.Duration `env:"INTERVAL" envDefault:"1s"`
}

// LoadConfig reads the configuration from environ.
func LoadConfig(environ []string) (Config, error) {
	var cfg Config
	err := env.Load(&cfg, "USERS_", environ)
	return cfg, err
}
