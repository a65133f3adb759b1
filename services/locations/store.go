package locations

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// store reads and writes the locations schema.
type store struct{ pool *pgxpool.Pool }

// nearbySQL orders by the chord through the earth, which grows with the distance along the surface,
// so that the GiST index gives the neighbors in order. earth_box bounds the walk.
const nearbySQL = `
	SELECT id, source, source_id, name, address, lat, lng, accepts, opening_hours, updated_at,
		round(sec_to_gc(place <-> ll_to_earth($1, $2)))::int
	FROM points
	WHERE place <@ earth_box(ll_to_earth($1, $2), $3)
		AND sec_to_gc(place <-> ll_to_earth($1, $2)) <= $3
		AND ($4::text[] IS NULL OR accepts && $4)
	ORDER BY place <-> ll_to_earth($1, $2)
	LIMIT $5`

func (q nearbyQuery) args() []any {
	return []any{q.Lat, q.Lng, float64(q.RadiusM), words(q.Accepts), q.Limit}
}

// keepOrder makes the planner take the index's order. It believes that a box holds a thousandth of
// all points, however large it is, and would sort a city's points to find five.
const keepOrder = "SET LOCAL enable_sort = off"

func (s *store) nearby(ctx context.Context, q nearbyQuery) ([]NearbyPoint, error) {
	points := []NearbyPoint{}
	batch := &pgx.Batch{} // one round trip
	batch.Queue("BEGIN READ ONLY")
	batch.Queue(keepOrder)
	batch.Queue(nearbySQL, q.args()...).Query(func(rows pgx.Rows) error {
		found, err := pgx.CollectRows(rows, scanNearby)
		points = append(points, found...)
		return err
	})
	batch.Queue("COMMIT")
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("finding points nearby: %w", err)
	}
	return points, nil
}

func scanNearby(row pgx.CollectableRow) (NearbyPoint, error) {
	var p NearbyPoint
	err := row.Scan(append(columns(&p.Point), &p.DistanceM)...)
	return p, err
}

func (s *store) search(ctx context.Context, query string, limit int) ([]Point, error) {
	query = strings.ToLower(query)
	rows, err := s.pool.Query(ctx, `
		SELECT id, source, source_id, name, address, lat, lng, accepts, opening_hours, updated_at
		FROM points
		WHERE search LIKE $1 OR $2 <% search
		ORDER BY search LIKE $1 DESC, word_similarity($2, search) DESC, name, id LIMIT $3`,
		"%"+likeEscaper.Replace(query)+"%", query, limit)
	if err != nil {
		return nil, fmt.Errorf("searching points: %w", err)
	}
	points, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Point, error) {
		var p Point
		err := row.Scan(columns(&p)...)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("searching points: %w", err)
	}
	return points, nil
}

var likeEscaper = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

func (s *store) point(ctx context.Context, id uuid.UUID) (Point, error) {
	var p Point
	err := s.pool.QueryRow(ctx, `
		SELECT id, source, source_id, name, address, lat, lng, accepts, opening_hours, updated_at
		FROM points WHERE id = $1`, id).Scan(columns(&p)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, errPointNotFound
	}
	if err != nil {
		return p, fmt.Errorf("reading point %s: %w", id, err)
	}
	return p, nil
}

// empty tells whether there is no point at all.
func (s *store) empty(ctx context.Context) (bool, error) {
	var none bool
	if err := s.pool.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM points)").Scan(&none); err != nil {
		return false, fmt.Errorf("looking for points: %w", err)
	}
	return none, nil
}

// counts are rows by what an upsert did to them.
type counts struct{ Inserted, Updated, Unchanged int }

// errDryRun rolls an upsert back that was only asked what it would do.
var errDryRun = errors.New("dry run")

// upsert writes the points that next returns until false: all or none. No two may have the same
// source and id. A dry run counts the same and changes nothing.
func (s *store) upsert(ctx context.Context, next func() (Point, bool, error), dryRun bool) (counts, error) {
	var n counts
	var broken error // the driver passes on only its text
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, stagingSQL); err != nil {
			return fmt.Errorf("preparing to write points: %w", err)
		}
		copied, err := tx.CopyFrom(ctx, pgx.Identifier{"staging"}, stagingColumns(),
			pgx.CopyFromFunc(func() (row []any, err error) {
				row, broken = stagingRow(next)
				return row, broken
			}))
		if broken != nil {
			return broken
		}
		if err != nil {
			return fmt.Errorf("sending points: %w", err)
		}
		if err := tx.QueryRow(ctx, upsertSQL).Scan(&n.Inserted, &n.Updated); err != nil {
			return fmt.Errorf("writing %d points: %w", copied, err)
		}
		n.Unchanged = int(copied) - n.Inserted - n.Updated
		if dryRun {
			return errDryRun
		}
		return nil
	})
	if err != nil && !errors.Is(err, errDryRun) {
		return counts{}, err
	}
	return n, nil
}

const stagingSQL = `
	CREATE TEMPORARY TABLE staging (
		id uuid, source text, source_id text, name text, address text,
		lat double precision, lng double precision, accepts text[], opening_hours text
	) ON COMMIT DROP`

func stagingColumns() []string {
	return []string{"id", "source", "source_id", "name", "address", "lat", "lng", "accepts", "opening_hours"}
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
	}, nil
}

// upsertSQL leaves rows alone that say the same, so that updated_at tells when the source changed.
const upsertSQL = `
	WITH written AS (
		INSERT INTO points AS p (id, source, source_id, name, address, lat, lng, place, accepts,
			opening_hours, created_at, updated_at)
		SELECT id, source, source_id, name, address, lat, lng, ll_to_earth(lat, lng),
			accepts, opening_hours, now(), now()
		FROM staging
		ON CONFLICT (source, source_id) DO UPDATE SET
			name = excluded.name, address = excluded.address, lat = excluded.lat, lng = excluded.lng,
			place = excluded.place, accepts = excluded.accepts,
			opening_hours = excluded.opening_hours, updated_at = now()
		WHERE (p.name, p.address, p.lat, p.lng, p.accepts, p.opening_hours) IS DISTINCT FROM
			(excluded.name, excluded.address, excluded.lat, excluded.lng, excluded.accepts,
				excluded.opening_hours)
		RETURNING created_at = updated_at AS fresh
	)
	SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM written`

// columns are the targets of the column list that every query here selects.
func columns(p *Point) []any {
	return []any{
		&p.ID, &p.Source, &p.SourceID, &p.Name, &p.Address, &p.Lat, &p.Lng, &p.Accepts,
		&p.OpeningHours, &p.UpdatedAt,
	}
}

// words are the classes as text; nil when there is none.
func words(classes []wasteclass.Class) []string {
	var all []string
	for _, class := range classes {
		all = append(all, string(class))
	}
	return all
}
