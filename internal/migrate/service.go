package migrate

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/wastecoach/wastecoach/internal/env"
)

// ServiceConfig is what the command migrate of a service's binary reads from its variables.
type ServiceConfig struct {
	// MigratorDSN connects as a superuser, who makes the service's role and schema.
	MigratorDSN env.Secret `env:"MIGRATOR_DSN,required"`
	// PostgresDSN is what the service itself connects with: the role gets this password.
	PostgresDSN env.Secret `env:"POSTGRES_DSN,required"`
	// AcceptAhead lets a build pass that is older than the database.
	AcceptAhead bool `env:"MIGRATE_ACCEPT_AHEAD" envDefault:"false"`
}

// AheadError says that a newer build has migrated the schema. This build may run on it, as a migration
// keeps what the release before needs, but to deploy it is most likely a mistake.
type AheadError struct {
	Schema string
	// Version is the newest that is applied, Latest the newest that this build knows.
	Version, Latest int64
}

// Error implements error.
func (e *AheadError) Error() string {
	return fmt.Sprintf("schema %s is at version %d, this build knows %d at most: it is older than what was deployed "+
		"last; a rollback runs no migration, and %s_MIGRATE_ACCEPT_AHEAD=true lets this build pass",
		e.Schema, e.Version, e.Latest, strings.ToUpper(e.Schema))
}

// Service is the command migrate of the service that owns the schema.
func Service(schema string) func(ctx context.Context, environ []string, logger *slog.Logger) error {
	return func(ctx context.Context, environ []string, logger *slog.Logger) error {
		var cfg ServiceConfig
		if err := env.Load(&cfg, strings.ToUpper(schema)+"_", environ); err != nil {
			return err
		}
		password, err := cfg.password(schema)
		if err != nil {
			return err
		}
		err = logged(ctx, cfg.MigratorDSN.Reveal(), logger).UpService(ctx, schema, password)
		var ahead *AheadError
		if cfg.AcceptAhead && errors.As(err, &ahead) {
			logger.WarnContext(ctx, "schema left as it is", "schema", schema,
				"version", ahead.Version, "latest", ahead.Latest)
			return nil
		}
		if err == nil {
			logger.InfoContext(ctx, "schema is ready", "schema", schema)
		}
		return err
	}
}

// password is the one in the service's own DSN, which has to fit the schema and the other DSN.
func (c ServiceConfig) password(schema string) (string, error) {
	own, err := parseDSN(c.PostgresDSN.Reveal())
	if err != nil {
		return "", err
	}
	admin, err := parseDSN(c.MigratorDSN.Reveal())
	if err != nil {
		return "", err
	}
	switch prefix := strings.ToUpper(schema) + "_"; {
	case own.User != schema || own.Password == "":
		return "", fmt.Errorf("%sPOSTGRES_DSN must name the user %s and a password", prefix, schema)
	case own.Database != admin.Database:
		return "", fmt.Errorf("%sPOSTGRES_DSN names the database %q, %sMIGRATOR_DSN %q",
			prefix, own.Database, prefix, admin.Database)
	}
	return own.Password, nil
}

// UpService makes one service's role, with this password, and its schema, and brings that to its newest
// version. The dsn's role must be a superuser. A schema that is ahead of this build is left as it is:
// that is an AheadError.
func (r *Runner) UpService(ctx context.Context, schema, password string) error {
	if _, err := known([]string{schema}); err != nil {
		return err
	}
	return r.locked(ctx, func(s *session) error {
		if err := r.ahead(ctx, s, schema); err != nil {
			return err
		}
		if err := s.prepare(ctx, schema, password); err != nil {
			return err
		}
		if err := r.up(ctx, s, schema); err != nil {
			return fmt.Errorf("migrating schema %s: %w", schema, err)
		}
		return nil
	})
}

// ahead returns an AheadError where a version is applied that is newer than all that this build knows.
func (r *Runner) ahead(ctx context.Context, s *session, schema string) error {
	files, err := versions(r.cfg.Files, schema)
	if err != nil {
		return err
	}
	applied, err := readApplied(ctx, s.db, schema)
	if err != nil {
		return fmt.Errorf("reading what is applied in schema %s: %w", schema, err)
	}
	var latest, newest int64
	for version := range files {
		latest = max(latest, version)
	}
	for _, a := range applied {
		newest = max(newest, a.Version)
	}
	if newest > latest {
		return &AheadError{Schema: schema, Version: newest, Latest: latest}
	}
	return nil
}

// prepare does for one service what Bootstrap does for all.
func (s *session) prepare(ctx context.Context, schema, password string) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("preparing schema %s: %w", schema, err)
	}
	defer tx.Rollback()
	for _, statement := range append(sharedSQL(), createSchema(schema, password)...) {
		if _, err := tx.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("preparing schema %s: %w", schema, err)
		}
	}
	return tx.Commit()
}
