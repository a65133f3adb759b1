// Package postgres opens pools and elects leaders in PostgreSQL.
package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/env"
)

// Config says where PostgreSQL is and who connects.
type Config struct {
	// DSN is a connection string or URL. The role's search_path names its schema.
	DSN env.Secret `env:"DSN,required"`
	// MaxConns bounds the pool: pool × pods must stay under the server's max_connections.
	MaxConns int32 `env:"MAX_CONNS" envDefault:"8"`
}

// Open returns a pool. It connects at the first query, so that a service can start before its database.
func Open(ctx context.Context, cfg Config, application string) (*pgxpool.Pool, error) {
	pool, err := pgxpool.ParseConfig(cfg.DSN.Reveal())
	if err != nil {
		return nil, fmt.Errorf("reading the database DSN: %w", err)
	}
	pool.MaxConns = cfg.MaxConns
	pool.ConnConfig.RuntimeParams["application_name"] = application
	pool.ConnConfig.RuntimeParams["timezone"] = "UTC"
	return pgxpool.NewWithConfig(ctx, pool)
}

// Ready returns a readiness check of the pool.
func Ready(pool *pgxpool.Pool) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := pool.Ping(ctx); err != nil {
			return fmt.Errorf("reaching PostgreSQL: %w", err)
		}
		return nil
	}
}
