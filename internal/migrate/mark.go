package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Mark is a migration without a transaction that began and did not end.
type Mark struct {
	Version   int64     `json:"version"`
	Direction Direction `json:"direction"`
	StartedAt time.Time `json:"started_at"`
	// Statement is the one that ran last, number Number from 1; it may be done or not.
	Statement string `json:"statement,omitempty"`
	Number    int    `json:"number,omitempty"`
	// Fault is empty where the process was killed, or still runs.
	Fault string `json:"error,omitempty"`
	// Running tells that a run holds the lock now, most likely the one that wrote this mark.
	Running bool `json:"running"`
}

// String tells where the migration stopped.
func (m Mark) String() string {
	text := fmt.Sprintf("version %d (%s, began %s)", m.Version, m.Direction,
		m.StartedAt.UTC().Format(time.RFC3339))
	if m.Number > 0 {
		text += fmt.Sprintf(" stopped at statement %d: %s", m.Number, m.Statement)
	} else {
		text += " stopped before its first statement"
	}
	if m.Fault != "" {
		text += ": " + m.Fault
	}
	return text
}

// HalfAppliedError refuses to go on in a schema until somebody has looked at it.
type HalfAppliedError struct {
	Schema string
	Mark   Mark
}

// Error implements error.
func (e *HalfAppliedError) Error() string {
	return "schema " + e.Schema + " is half-applied: " + e.Mark.String()
}

const markTimeout = 5 * time.Second

// marked runs a migration that has no transaction around it. The mark is written on a connection
// of its own, before each statement, so that it tells the truth after a kill -9 too.
func (s *session) marked(
	ctx context.Context, schema string, mark Mark, run func() error,
) error {
	if err := s.setLockTimeout(ctx, 0); err != nil {
		return err
	}
	marker, err := openMarker(ctx, s.dsn, schema, mark)
	if err != nil {
		return err
	}
	defer marker.close()
	s.tracer.statement = marker.statement
	err = run()
	s.tracer.statement = nil
	if err = errors.Join(err, marker.fault); err == nil {
		return marker.remove(ctx)
	}
	return errors.Join(marker.fail(ctx, err), &HalfAppliedError{Schema: schema, Mark: marker.mark})
}

// marker keeps the row of one mark.
type marker struct {
	conn  *pgx.Conn
	mark  Mark
	fault error
}

func openMarker(ctx context.Context, dsn, schema string, mark Mark) (*marker, error) {
	cfg, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connecting to mark the migration: %w", err)
	}
	m := &marker{conn: conn, mark: mark}
	for _, statement := range []string{
		becomeSQL(schema),
		`CREATE TABLE IF NOT EXISTS unfinished_migration (
			version    bigint      PRIMARY KEY,
			direction  text        NOT NULL,
			started_at timestamptz NOT NULL DEFAULT now(),
			statement  text        NOT NULL DEFAULT '',
			number     integer     NOT NULL DEFAULT 0,
			fault      text        NOT NULL DEFAULT '')`,
	} {
		if _, err = conn.Exec(ctx, statement); err != nil {
			break
		}
	}
	if err == nil {
		err = conn.QueryRow(ctx,
			"INSERT INTO unfinished_migration (version, direction) VALUES ($1, $2) RETURNING started_at",
			mark.Version, mark.Direction).Scan(&m.mark.StartedAt)
	}
	if err != nil {
		m.close()
		return nil, fmt.Errorf("marking migration %d: %w", mark.Version, err)
	}
	return m, nil
}

// statement notes what runs next.
func (m *marker) statement(ctx context.Context, statement string) {
	m.mark.Number++
	m.mark.Statement = shorten(statement)
	_, err := m.conn.Exec(ctx,
		"UPDATE unfinished_migration SET number = $2, statement = $3 WHERE version = $1",
		m.mark.Version, m.mark.Number, m.mark.Statement)
	if err != nil && m.fault == nil {
		m.fault = fmt.Errorf("marking statement %d: %w", m.mark.Number, err)
	}
}

func (m *marker) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	_, err := m.conn.Exec(ctx, "DELETE FROM unfinished_migration WHERE version = $1", m.mark.Version)
	if err != nil {
		return fmt.Errorf("removing the mark of migration %d: %w", m.mark.Version, err)
	}
	return nil
}

// fail keeps why it stopped. The row itself is there already.
func (m *marker) fail(ctx context.Context, cause error) error {
	m.mark.Fault = cause.Error()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	_, err := m.conn.Exec(ctx, "UPDATE unfinished_migration SET fault = $2 WHERE version = $1",
		m.mark.Version, m.mark.Fault)
	if err != nil {
		return fmt.Errorf("noting why migration %d stopped: %w", m.mark.Version, err)
	}
	return nil
}

func (m *marker) close() {
	ctx, cancel := context.WithTimeout(context.Background(), markTimeout)
	defer cancel()
	_ = m.conn.Close(ctx) // every mark is committed by then
}

// readMark returns nil where nothing is half-applied.
func readMark(ctx context.Context, db *sql.DB, schema string) (*Mark, error) {
	var there bool
	err := db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL",
		schema+".unfinished_migration").Scan(&there)
	if err != nil {
		return nil, fmt.Errorf("looking for a half-applied migration: %w", err)
	}
	if !there {
		return nil, nil
	}
	var m Mark
	err = db.QueryRowContext(ctx, `SELECT version, direction, started_at, statement, number, fault FROM `+
		schema+`.unfinished_migration ORDER BY version LIMIT 1`).
		Scan(&m.Version, &m.Direction, &m.StartedAt, &m.Statement, &m.Number, &m.Fault)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for a half-applied migration: %w", err)
	}
	return &m, nil
}
