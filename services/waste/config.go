package waste

import (
	"time"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/httpserver"
	"github.com/wastecoach/wastecoach/internal/modelprovider"
	"github.com/wastecoach/wastecoach/internal/objectstore"
	"github.com/wastecoach/wastecoach/internal/photo"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/queue"
	"github.com/wastecoach/wastecoach/internal/redisdb"
)

// Config is read from the variables WASTE_….
type Config struct {
	HTTP     httpserver.Config    `envPrefix:"HTTP_"`
	Postgres postgres.Config      `envPrefix:"POSTGRES_"`
	Redis    redisdb.Config       `envPrefix:"REDIS_"`
	S3       objectstore.Config   `envPrefix:"S3_"`
	Worker   queue.Config         `envPrefix:"WORKER_"`
	Vision   modelprovider.Config `envPrefix:"VISION_"`
	Photo    PhotoConfig          `envPrefix:"PHOTO_"`
	Jobs     JobsConfig           `envPrefix:"JOBS_"`
	// JWKSURL is where the auth service publishes its keys.
	JWKSURL string `env:"JWKS_URL,required"`
	// InternalToken opens the routes for the users service and for operators; empty closes them.
	InternalToken env.Secret `env:"INTERNAL_TOKEN"`
	// LocationsURL is the base URL of the locations service.
	LocationsURL string `env:"LOCATIONS_URL,required"`
}

// PhotoConfig bounds what is accepted.
type PhotoConfig struct {
	// MaxBytes is the largest upload.
	MaxBytes int64 `env:"MAX_BYTES" envDefault:"10485760"`
	// MaxPixels is the largest picture: one of 50 million takes up to 400 MB while it is decoded.
	MaxPixels int64 `env:"MAX_PIXELS" envDefault:"50000000"`
}

func (c PhotoConfig) limits() photo.Limits {
	return photo.Limits{MaxBytes: c.MaxBytes, MaxPixels: c.MaxPixels}
}

// JobsConfig holds the times of a job's life.
type JobsConfig struct {
	// UploadValid is how long a presigned upload may be used; at most 5 minutes.
	UploadValid time.Duration `env:"UPLOAD_VALID" envDefault:"5m"`
	// UploadGrace is how long a PUT that began in time may take.
	UploadGrace time.Duration `env:"UPLOAD_GRACE" envDefault:"10m"`
	// Retention is how long a job and its photo are kept.
	Retention time.Duration `env:"RETENTION" envDefault:"720h"`
	// Lease is how long a worker may be silent before its job goes to another one.
	Lease time.Duration `env:"LEASE" envDefault:"6s"`
	// TaskTimeout bounds one task.
	TaskTimeout time.Duration `env:"TASK_TIMEOUT" envDefault:"60s"`
	// MaxTries is how often a stage that fails for a passing reason is tried.
	MaxTries int `env:"MAX_TRIES" envDefault:"6"`
	// ReconcileInterval is how often the leader looks for jobs that nobody moves on.
	ReconcileInterval time.Duration `env:"RECONCILE_INTERVAL" envDefault:"500ms"`
}

// LoadConfig reads the configuration from environ.
func LoadConfig(environ []string) (Config, error) {
	var cfg Config
	err := env.Load(&cfg, "WASTE_", environ)
	return cfg, err
}
