package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
)

// versionTable is goose's own, one in each schema.
const versionTable = "goose_db_version"

// Status is where one schema stands.
type Status struct {
	Schema string `json:"schema"`
	// Version is the newest that is applied, 0 for none; Latest is the newest this build knows.
	Version int64      `json:"version"`
	Latest  int64      `json:"latest"`
	Applied []Applied  `json:"applied"`
	Pending []Pending  `json:"pending"`
	Half    *Mark      `json:"half_applied,omitempty"`
	Since   *time.Time `json:"applied_at,omitempty"`
}

// Applied is a migration in the database. File is empty where this build does not know it.
type Applied struct {
	Version   int64     `json:"version"`
	File      string    `json:"file,omitempty"`
	AppliedAt time.Time `json:"applied_at"`
}

// Pending is a migration that Up would apply.
type Pending struct {
	Version int64  `json:"version"`
	File    string `json:"file"`
}

// Status reads where the schemas, all where none is named, stand. It takes no lock and changes
// nothing.
func (r *Runner) Status(ctx context.Context, schemas ...string) ([]Status, error) {
	schemas, err := known(schemas)
	if err != nil {
		return nil, err
	}
	cfg, err := parseDSN(r.cfg.DSN)
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*cfg)
	defer db.Close()
	if err := db.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	holder, err := lockHolder(ctx, db)
	if err != nil {
		return nil, err
	}
	all := make([]Status, 0, len(schemas))
	for _, schema := range schemas {
		s, err := r.status(ctx, db, schema)
		if err != nil {
			return nil, fmt.Errorf("reading schema %s: %w", schema, err)
		}
		if s.Half != nil {
			s.Half.Running = holder.PID != 0
		}
		all = append(all, s)
	}
	return all, nil
}

func (r *Runner) status(ctx context.Context, db *sql.DB, schema string) (Status, error) {
	s := Status{Schema: schema, Applied: []Applied{}, Pending: []Pending{}}
	files, err := versions(r.cfg.Files, schema)
	if err != nil {
		return s, err
	}
	if s.Half, err = readMark(ctx, db, schema); err != nil {
		return s, err
	}
	if s.Applied, err = readApplied(ctx, db, schema); err != nil {
		return s, err
	}
	for i, a := range s.Applied {
		s.Applied[i].File = files[a.Version]
		s.Version, s.Since = a.Version, &s.Applied[i].AppliedAt
		delete(files, a.Version)
		s.Latest = max(s.Latest, a.Version)
	}
	for _, version := range slices.Sorted(maps.Keys(files)) {
		s.Pending = append(s.Pending, Pending{Version: version, File: files[version]})
		s.Latest = max(s.Latest, version)
	}
	return s, nil
}

// versions returns the file names of a schema by version.
func versions(files fs.FS, schema string) (map[int64]string, error) {
	paths, err := fs.Glob(files, path.Join(schema, "*.sql"))
	if err != nil {
		return nil, fmt.Errorf("listing the migrations: %w", err)
	}
	known := map[int64]string{}
	for _, p := range paths {
		number, _, _ := strings.Cut(path.Base(p), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil || version < 1 {
			return nil, fmt.Errorf("%s does not begin with a number and _", p)
		}
		known[version] = path.Base(p)
	}
	return known, nil
}

func readApplied(ctx context.Context, db *sql.DB, schema string) (_ []Applied, err error) {
	all := []Applied{}
	var there bool
	table := schema + "." + versionTable
	if err := db.QueryRowContext(ctx, "SELECT to_regclass($1) IS NOT NULL", table).
		Scan(&there); err != nil || !there {
		return all, err
	}
	//nolint:gosec // the table is that of a known schema
	rows, err := db.QueryContext(ctx, "SELECT version_id, tstamp AT TIME ZONE 'UTC' FROM "+table+
		" WHERE is_applied AND version_id > 0 ORDER BY version_id")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a Applied
		if err := rows.Scan(&a.Version, &a.AppliedAt); err != nil {
			return nil, err
		}
		a.AppliedAt = a.AppliedAt.UTC()
		all = append(all, a)
	}
	return all, rows.Err()
}
