package locations

import (
	"context"
	"fmt"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// batchSize is how many points are written between two looks at the progress.
const batchSize = 5000

// counts are rows by what an upsert did to them.
type counts struct{ Inserted, Updated, Unchanged int }

// upsert writes the points that next returns until false: all or none. No two may have the same
// source and id. A dry run counts the same and writes nothing. Written is told after each batch.
func (s *store) upsert(
	ctx context.Context, next func() (Point, bool, error), dryRun bool, written func(),
) (counts, error) {
	tx, err := s.pool.Begin(ctx)
	if err != nil {
		return counts{}, fmt.Errorf("preparing to write points: %w", err)
	}
	// What ends here must be told rightly even to somebody who has just pressed Ctrl-C.
	always := context.WithoutCancel(ctx)
	defer tx.Rollback(always)
	if _, err := tx.Exec(ctx, stagingSQL); err != nil {
		return counts{}, fmt.Errorf("preparing to write points: %w", err)
	}
	write := upsertSQL
	if dryRun {
		write = compareSQL
	}
	var n counts
	for full := true; full; {
		staged, err := stage(ctx, tx, next)
		if err != nil {
			return counts{}, err
		}
		var inserted, updated int
		if err := tx.QueryRow(ctx, write).Scan(&inserted, &updated); err != nil {
			return counts{}, fmt.Errorf("writing points: %w", err)
		}
		n.Inserted, n.Updated = n.Inserted+inserted, n.Updated+updated
		n.Unchanged += staged - inserted - updated
		written()
		full = staged == batchSize
	}
	if dryRun || ctx.Err() != nil {
		return n, ctx.Err()
	}
	if err := tx.Commit(always); err != nil {
		return counts{}, fmt.Errorf("writing points: %w", err)
	}
	return n, nil
}

// stage sends at most batchSize points to the empty staging table.
func stage(ctx context.Context, tx pgx.Tx, next func() (Point, bool, error)) (int, error) {
	if _, err := tx.Exec(ctx, "TRUNCATE staging"); err != nil {
		return 0, fmt.Errorf("preparing to write points: %w", err)
	}
	var broken error // the driver passes on only its text
	sent := 0
	copied, err := tx.CopyFrom(ctx, pgx.Identifier{"staging"}, stagingColumns(),
		pgx.CopyFromFunc(func() (row []any, err error) {
			if sent == batchSize {
				return nil, nil
			}
			sent++
			row, broken = stagingRow(next)
			return row, broken
		}))
	switch {
	case broken != nil:
		return 0, broken
	case err != nil:
		return 0, fmt.Errorf("sending points: %w", err)
	}
	return int(copied), nil
}

const stagingSQL = `
	CREATE TEMPORARY TABLE staging (
		id uuid, source text, source_id text, name text, address text, lat double precision,
		lng double precision, accepts text[], opening_hours text, spans smallint[]
	) ON COMMIT DROP`

func stagingColumns() []string {
	return []string{
		"id", "source", "source_id", "name", "address", "lat", "lng", "accepts", "opening_hours", "spans",
	}
}

// stagingRow returns nil after the last point, as CopyFromFunc wants it.
func stagingRow(next func() (Point, bool, error)) ([]any, error) {
	p, ok, err := next()
	if err != nil || !ok {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, fmt.Errorf("making an id: %w", err)
	}
	return []any{
		id, p.Source, p.SourceID, p.Name, p.Address, p.Lat, p.Lng, words(p.Accepts), p.OpeningHours,
		packed(p.Hours),
	}, nil
}

// upsertSQL leaves rows alone that say the same, so that updated_at tells when the source changed.
const upsertSQL = `
	WITH written AS (
		INSERT INTO points AS p (id, source, source_id, name, address, lat, lng, place, accepts,
			opening_hours, spans, created_at, updated_at)
		SELECT id, source, source_id, name, address, lat, lng, ll_to_earth(lat, lng),
			accepts, opening_hours, spans, now(), now()
		FROM staging
		ON CONFLICT (source, source_id) DO UPDATE SET
			name = excluded.name, address = excluded.address, lat = excluded.lat, lng = excluded.lng,
			place = excluded.place, accepts = excluded.accepts,
			opening_hours = excluded.opening_hours, spans = excluded.spans, updated_at = now()
		WHERE (p.name, p.address, p.lat, p.lng, p.accepts, p.opening_hours, p.spans) IS DISTINCT FROM
			(excluded.name, excluded.address, excluded.lat, excluded.lng, excluded.accepts,
				excluded.opening_hours, excluded.spans)
		RETURNING created_at = updated_at AS fresh
	)
	SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM written`

// compareSQL counts what upsertSQL would do.
const compareSQL = `
	SELECT count(*) FILTER (WHERE p.id IS NULL),
		count(*) FILTER (WHERE p.id IS NOT NULL AND
			(p.name, p.address, p.lat, p.lng, p.accepts, p.opening_hours, p.spans) IS DISTINCT FROM
			(s.name, s.address, s.lat, s.lng, s.accepts, s.opening_hours, s.spans))
	FROM staging s LEFT JOIN LATERAL ( -- one look per row: nobody has counted the staging table
		SELECT id, name, address, lat, lng, accepts, opening_hours, spans FROM points
		WHERE source = s.source AND source_id = s.source_id OFFSET 0
	) AS p ON true`

// words are the classes as text; nil when there is none.
func words(classes []wasteclass.Class) []string {
	var all []string
	for _, class := range classes {
		all = append(all, string(class))
	}
	return all
}
