// Package migrate creates the roles and schemas and brings each schema to its newest version.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/wastecoach/wastecoach/migrations"
)

// Schemas lists the schemas, one for each service and role of the same name.
func Schemas() []string { return []string{"auth", "users", "waste", "recycling", "locations"} }

// Migrator is the role that runs migrations; it is a member of every service role.
const Migrator = "migrator"

// defaultLockTimeout bounds the wait for another run: longer than any migration should take.
const defaultLockTimeout = 5 * time.Minute

// Config says which database is migrated, and who hears of it.
type Config struct {
	// DSN connects as Migrator or a superuser.
	DSN string
	// Files has a folder of SQL files per schema; nil for those built in.
	Files fs.FS
	// LockTimeout bounds the wait for another run; 0 for 5 minutes.
	LockTimeout time.Duration
	// OnWait is told once who runs already; nil for nobody.
	OnWait func(Holder)
	// OnStep is told of each step when it is done; nil for nobody.
	OnStep func(Step)
}

// Step is one migration that was applied or taken back.
type Step struct {
	Schema    string        `json:"schema"`
	Version   int64         `json:"version"`
	File      string        `json:"file"`
	Direction Direction     `json:"direction"`
	Took      time.Duration `json:"took_ns"`
}

// Direction is which way a step goes.
type Direction string

// The directions.
const (
	DirectionUp   Direction = "up"
	DirectionDown Direction = "down"
)

// ErrNothingApplied says that a schema has no migration to take back.
var ErrNothingApplied = errors.New("no migration is applied")

// Runner migrates one database.
type Runner struct{ cfg Config }

// New returns a Runner. It makes no connection.
func New(cfg Config) *Runner {
	if cfg.Files == nil {
		cfg.Files = migrations.Files
	}
	if cfg.LockTimeout == 0 {
		cfg.LockTimeout = defaultLockTimeout
	}
	if cfg.OnWait == nil {
		cfg.OnWait = func(Holder) {}
	}
	if cfg.OnStep == nil {
		cfg.OnStep = func(Step) {}
	}
	return &Runner{cfg: cfg}
}

// Up brings every schema to its newest version. The dsn's role must be Migrator or a superuser.
func Up(ctx context.Context, dsn string, logger *slog.Logger) error {
	return logged(ctx, dsn, logger).Up(ctx)
}

// logged is a Runner whose steps the logger hears of.
func logged(ctx context.Context, dsn string, logger *slog.Logger) *Runner {
	return New(Config{
		DSN: dsn,
		OnWait: func(h Holder) {
			logger.WarnContext(ctx, "waiting for another migration run", "holder", h.String())
		},
		OnStep: func(s Step) {
			logger.InfoContext(ctx, "migration applied", "schema", s.Schema,
				"version", s.Version, "duration", s.Took)
		},
	})
}

// Up brings the schemas, all where none is named, to their newest versions. What is applied
// before an error stays applied.
func (r *Runner) Up(ctx context.Context, schemas ...string) error {
	schemas, err := known(schemas)
	if err != nil {
		return err
	}
	return r.locked(ctx, func(s *session) error {
		for _, schema := range schemas {
			if err := r.up(ctx, s, schema); err != nil {
				return fmt.Errorf("migrating schema %s: %w", schema, err)
			}
		}
		return nil
	})
}

// Down takes the newest migration of one schema back, or returns ErrNothingApplied.
func (r *Runner) Down(ctx context.Context, schema string) error {
	if _, err := known([]string{schema}); err != nil {
		return err
	}
	return r.locked(ctx, func(s *session) error {
		if err := r.down(ctx, s, schema); err != nil {
			return fmt.Errorf("taking back a migration of schema %s: %w", schema, err)
		}
		return nil
	})
}

// known returns the named schemas, all where none is named.
func known(schemas []string) ([]string, error) {
	if len(schemas) == 0 {
		return Schemas(), nil
	}
	for _, schema := range schemas {
		if !isSchema(schema) {
			return nil, fmt.Errorf("there is no schema %q, but %v", schema, Schemas())
		}
	}
	return schemas, nil
}
