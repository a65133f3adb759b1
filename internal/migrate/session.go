package migrate

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// lockID is the advisory lock that keeps two runs apart ("wastecoa" in ASCII).
	lockID   = 0x7761737465636f61
	lockPoll = 100 * time.Millisecond
	// ddlLockTimeout keeps a migration that waits for a busy table from blocking all who come
	// after it; it is off outside of transactions, where giving up leaves halves behind.
	ddlLockTimeout  = 10 * time.Second
	applicationName = "wcctl migrate"
)

// ErrLocked says that another run did not end in time.
var ErrLocked = errors.New("another migration run holds the lock")

// errSessionLost ends a run: what comes next would run without the lock.
var errSessionLost = errors.New("the connection that held the migration lock was lost")

// Holder is who holds the migration lock.
type Holder struct {
	PID    int
	Client string
	Since  time.Time
}

// String names the holder for people.
func (h Holder) String() string {
	return fmt.Sprintf("PostgreSQL process %d of %s, connected since %s",
		h.PID, h.Client, h.Since.Format(time.TimeOnly))
}

// session is the one connection of a run. The server drops the lock with it.
type session struct {
	db     *sql.DB
	dsn    string
	tracer *tracer
}

// onceConnector refuses a second connection: database/sql would replace a lost one silently.
type onceConnector struct {
	driver.Connector
	used atomic.Bool
}

func (c *onceConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if c.used.Swap(true) {
		return nil, errSessionLost
	}
	return c.Connector.Connect(ctx)
}

// locked runs fn while no other run is under way in the database.
func (r *Runner) locked(ctx context.Context, fn func(*session) error) (err error) {
	cfg, err := parseDSN(r.cfg.DSN)
	if err != nil {
		return err
	}
	// Ends the statement, and with it the lock, of a run that was killed.
	cfg.RuntimeParams["client_connection_check_interval"] = "1s"
	s := &session{dsn: r.cfg.DSN, tracer: &tracer{}}
	cfg.Tracer = s.tracer
	s.db = sql.OpenDB(&onceConnector{Connector: stdlib.GetConnector(*cfg)})
	s.db.SetMaxOpenConns(1)
	defer func() { err = errors.Join(err, s.db.Close()) }()
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	if err := r.lock(ctx, s.db); err != nil {
		return err
	}
	defer unlock(ctx, s.db)
	return fn(s)
}

// unlock does not leave it to the end of the connection, which the server notices a little later.
func unlock(ctx context.Context, db *sql.DB) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	_, _ = db.ExecContext(ctx, "SELECT pg_advisory_unlock($1)", int64(lockID))
}

func parseDSN(dsn string) (*pgx.ConnConfig, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("reading the database DSN: %w", err)
	}
	cfg.RuntimeParams["application_name"] = applicationName
	cfg.RuntimeParams["timezone"] = "UTC"
	return cfg, nil
}

// lock polls: a waiting pg_advisory_lock would be a long query that CREATE INDEX CONCURRENTLY of
// the holder waits for in turn.
func (r *Runner) lock(ctx context.Context, db *sql.DB) error {
	deadline := time.Now().Add(r.cfg.LockTimeout)
	for told := false; ; {
		var won bool
		if err := db.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(lockID)).
			Scan(&won); err != nil {
			return fmt.Errorf("asking for the migration lock: %w", err)
		}
		if won {
			return nil
		}
		holder, err := lockHolder(ctx, db)
		if err != nil {
			return err
		}
		if !told && holder.PID != 0 {
			r.cfg.OnWait(holder)
			told = true
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w (%s), waited %s", ErrLocked, holder, r.cfg.LockTimeout)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// lockHolder returns the zero Holder where the lock was freed in between.
func lockHolder(ctx context.Context, db *sql.DB) (Holder, error) {
	var h Holder
	err := db.QueryRowContext(ctx, `
		SELECT a.pid, COALESCE(NULLIF(a.application_name, ''), 'an unknown program'),
		       COALESCE(a.backend_start, now())
		FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
		  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		  AND (l.classid::bigint << 32) | l.objid::bigint = $1`, int64(lockID)).
		Scan(&h.PID, &h.Client, &h.Since)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return h, fmt.Errorf("asking who holds the migration lock: %w", err)
	}
	return h, nil
}

// become makes the session act as the schema's own role.
func (s *session) become(ctx context.Context, schema string) error {
	_, err := s.db.ExecContext(ctx, becomeSQL(schema))
	if err != nil {
		return fmt.Errorf("acting as role %s: %w", schema, err)
	}
	return nil
}

// becomeSQL is only used with names that isSchema knows.
func becomeSQL(schema string) string {
	return "RESET ROLE; SET ROLE " + schema + "; SET search_path = " + schema + ", public"
}

func (s *session) setLockTimeout(ctx context.Context, d time.Duration) error {
	statement := fmt.Sprintf("SET lock_timeout = %d", d.Milliseconds())
	if _, err := s.db.ExecContext(ctx, statement); err != nil {
		return fmt.Errorf("setting the lock timeout: %w", err)
	}
	return nil
}

func isSchema(name string) bool { return slices.Contains(Schemas(), name) }
