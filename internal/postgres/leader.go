package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// electionInterval is how often a follower asks for the lock and the leader proves it has it.
const electionInterval = time.Second

// Lead runs fn in at most one process at a time: the one whose session holds the advisory lock.
// A lost connection ends fn's context and starts a new election. It returns when ctx ends.
func Lead(
	ctx context.Context, pool *pgxpool.Pool, lock int64, logger *slog.Logger,
	fn func(context.Context) error,
) error {
	for {
		err := leadOnce(ctx, pool, lock, fn)
		if err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "leadership lost", "lock", lock, "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(electionInterval):
		}
	}
}

// leadOnce returns nil when another process leads.
func leadOnce(
	ctx context.Context, pool *pgxpool.Pool, lock int64, fn func(context.Context) error,
) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting for the election: %w", err)
	}
	// A session of its own: giving it back to the pool would keep the lock.
	session := conn.Hijack()
	defer closeSession(session)
	var won bool
	if err := session.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lock).Scan(&won); err != nil {
		return fmt.Errorf("asking for the lock: %w", err)
	}
	if !won {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		cancel(watch(ctx, session))
	}()
	err = errors.Join(fn(ctx), context.Cause(ctx))
	cancel(nil)
	<-watched // a session serves one goroutine at a time: close it only then
	return err
}

func watch(ctx context.Context, session *pgx.Conn) error {
	ticker := time.NewTicker(electionInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if err := session.Ping(ctx); err != nil {
			return fmt.Errorf("keeping the lock: %w", err)
		}
	}
}

func closeSession(session *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), electionInterval)
	defer cancel()
	_ = session.Close(ctx) // the server drops the lock with the connection either way
}
