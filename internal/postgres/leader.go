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

// pingTimeout is how long the leader's session may be silent.
const pingTimeout = 5 * time.Second

// Lead runs fn in at most one process at a time: the one whose session holds the advisory lock.
// A lost connection ends fn's context and starts a new election; until the old leader notices,
// within pingTimeout, two may run. It returns when ctx ends.
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

// silenceTimeout is after which PostgreSQL takes the lock from a leader that it does not hear.
const silenceTimeout = "10s"

// leadOnce returns nil when another process leads.
func leadOnce(
	ctx context.Context, pool *pgxpool.Pool, lock int64, fn func(context.Context) error,
) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("connecting for the election: %w", err)
	}
	var won bool
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", lock).Scan(&won)
	if err == nil && !won {
		conn.Release() // a follower asks every second: it shall not connect anew each time
		return nil
	}
	// A session of its own: giving it back to the pool would keep the lock.
	session := conn.Hijack()
	defer closeSession(session)
	if err == nil {
		// A leader whose machine lost its power says no good-bye: without a bound the server would
		// keep its session, and the lock, for hours. A living one pings every second.
		_, err = session.Exec(ctx, "SET idle_session_timeout = '"+silenceTimeout+"'")
	}
	if err != nil {
		return fmt.Errorf("asking for the lock: %w", err)
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
		if err := ping(ctx, session); err != nil {
			return fmt.Errorf("keeping the lock: %w", err)
		}
	}
}

// ping is bounded: over a dead network it would wait for minutes, while PostgreSQL may already
// have given the lock to another process.
func ping(ctx context.Context, session *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return session.Ping(ctx)
}

func closeSession(session *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), electionInterval)
	defer cancel()
	_ = session.Close(ctx) // the server drops the lock with the connection either way
}
