package migrate

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// ErrNotHalfApplied says that there is nothing to repair.
var ErrNotHalfApplied = errors.New("this version is not half-applied")

// Repair settles a half-applied migration after somebody has brought the schema, by hand, to
// where it is wholly applied or wholly pending.
func (r *Runner) Repair(ctx context.Context, schema string, version int64, applied bool) error {
	if _, err := known([]string{schema}); err != nil {
		return err
	}
	return r.locked(ctx, func(s *session) error {
		if err := s.become(ctx, schema); err != nil {
			return err
		}
		mark, err := readMark(ctx, s.db, schema)
		if err != nil {
			return err
		}
		if mark == nil || mark.Version != version {
			return fmt.Errorf("schema %s, version %d: %w", schema, version, ErrNotHalfApplied)
		}
		if err := settle(ctx, s.db, version, applied); err != nil {
			return fmt.Errorf("repairing version %d of schema %s: %w", version, schema, err)
		}
		return nil
	})
}

func settle(ctx context.Context, db *sql.DB, version int64, applied bool) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err := tx.ExecContext(ctx, "DELETE FROM "+versionTable+" WHERE version_id = $1",
		version); err != nil {
		return err
	}
	if applied {
		if _, err := tx.ExecContext(ctx, "INSERT INTO "+versionTable+
			" (version_id, is_applied) VALUES ($1, true)", version); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM unfinished_migration WHERE version = $1",
		version); err != nil {
		return err
	}
	return tx.Commit()
}
