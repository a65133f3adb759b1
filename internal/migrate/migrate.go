// Package migrate creates the roles and schemas and brings each schema to its newest version.
package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/wastecoach/wastecoach/migrations"
)

// lockID is the advisory lock that keeps two runs apart ("wastecoa" in ASCII).
const lockID = 0x7761737465636f61

// Schemas lists the schemas, one for each service and role of the same name.
func Schemas() []string { return []string{"auth", "users", "waste", "recycling", "locations"} }

// Migrator is the role that runs migrations; it is a member of every service role.
const Migrator = "migrator"

// Up brings every schema to its newest version. The dsn's role must be Migrator or a superuser.
func Up(ctx context.Context, dsn string, logger *slog.Logger) error {
	for _, schema := range Schemas() {
		if err := upSchema(ctx, dsn, schema, logger); err != nil {
			return fmt.Errorf("migrating schema %s: %w", schema, err)
		}
	}
	return nil
}

func upSchema(ctx context.Context, dsn, schema string, logger *slog.Logger) error {
	provider, err := open(dsn, schema)
	if errors.Is(err, goose.ErrNoMigrations) {
		return nil
	}
	if err != nil {
		return err
	}
	defer provider.Close() //nolint:errcheck // closes a pool that is no longer used
	results, err := provider.Up(ctx)
	var partial *goose.PartialError
	if errors.As(err, &partial) {
		results = partial.Applied
	}
	for _, r := range results {
		logger.InfoContext(ctx, "migration applied", "schema", schema,
			"version", r.Source.Version, "duration", r.Duration)
	}
	return err
}

// open returns a goose provider whose connections act as the schema's own role.
func open(dsn, schema string) (*goose.Provider, error) {
	files, err := fs.Sub(migrations.Files, schema)
	if err != nil {
		return nil, fmt.Errorf("opening the migrations of %s: %w", schema, err)
	}
	db, err := openAs(dsn, schema)
	if err != nil {
		return nil, err
	}
	locker, err := lock.NewPostgresSessionLocker(
		lock.WithLockID(lockID), lock.WithLockTimeout(1, 300),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the migration lock: %w", err)
	}
	return goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
}

func openAs(dsn, schema string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the database DSN: %w", err)
	}
	cfg.RuntimeParams["role"] = schema
	cfg.RuntimeParams["search_path"] = schema + ",public"
	cfg.RuntimeParams["application_name"] = "migrate"
	return stdlib.OpenDB(*cfg), nil
}
