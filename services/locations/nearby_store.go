package locations

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// nearbyQuery asks for the Limit points within RadiusM that are nearest to a place, of those that take
// one of Accepts (or anything when that is empty), are open at Open and lie within Bounds, where given.
type nearbyQuery struct {
	Lat, Lng float64
	RadiusM  float64
	Accepts  []wasteclass.Class
	Open     *moment
	Bounds   *rectangle
	Limit    int
}

// filtered tells whether not every point will do.
func (q nearbyQuery) filtered() bool { return len(q.Accepts) > 0 || q.Open != nil }

// walkSQL looks at the nearest points one by one, as the index on their places gives them in the order of
// the chord through the earth, which grows with the distance along the surface.
const walkSQL = `
	SELECT ` + pointColumns + `, round(sec_to_gc(walked.chord))::int
	FROM (
		SELECT id, accepts, spans, place <-> ll_to_earth($1, $2) AS chord
		FROM points
		WHERE place <@ earth_box(ll_to_earth($1, $2), $3)
			AND sec_to_gc(place <-> ll_to_earth($1, $2)) <= $3
			AND lat BETWEEN $8 AND $10 AND lng BETWEEN $9 AND $11
		ORDER BY place <-> ll_to_earth($1, $2)
		LIMIT $12
	) AS walked
	JOIN points p ON p.id = walked.id
	WHERE ($4::text[] IS NULL OR walked.accepts && $4)
		AND ($5::int IS NULL OR EXISTS (
			SELECT FROM generate_series(1, cardinality(walked.spans), 4) AS i
			WHERE $5 BETWEEN walked.spans[i] AND walked.spans[i + 1]
				AND $6::int >= walked.spans[i + 2] AND $6 < walked.spans[i + 3]))
	ORDER BY walked.chord, p.id
	LIMIT $7`

// Bounds of a walk: so many points are looked at for each that is asked for.
const (
	stepsPerPoint      = 40
	minSteps, maxSteps = 200, 1000
)

func (q nearbyQuery) walkArgs() []any {
	steps := q.Limit
	var classes []string
	var weekday, minute *int
	if q.filtered() {
		steps = max(minSteps, min(q.Limit*stepsPerPoint, maxSteps), q.Limit)
		classes = words(q.Accepts)
	}
	if q.Open != nil {
		weekday, minute = &q.Open.day, &q.Open.minute
	}
	b := rectangle{South: -90, West: -180, North: 90, East: 180}
	if q.Bounds != nil {
		b = *q.Bounds
	}
	return []any{
		q.Lat, q.Lng, q.RadiusM, classes, weekday, minute, q.Limit,
		b.South, b.West, b.North, b.East, steps,
	}
}

// slotsSQL walks the slots of each class in the order of their distance: see the migration that makes
// them. Its bounds in the other dimensions leave only slots of the class at the moment, whose distance
// is the chord alone. Slots of one point follow each other, so that DISTINCT ON drops all but one as they
// come. Each OFFSET 0 is a step that the planner must take: walk, then sort what is at one distance, then
// drop. By itself PostgreSQL 15 would gather all slots within the radius and sort them.
func (q nearbyQuery) slotsSQL() string {
	withinBounds := ""
	if q.Bounds != nil {
		withinBounds = `JOIN points b ON b.id = s.point_id
				AND b.lat BETWEEN $10 AND $12 AND b.lng BETWEEN $11 AND $13`
	}
	return `
	SELECT ` + pointColumns + `, round(sec_to_gc(found.chord))::int
	FROM (
		SELECT near.point_id, min(near.chord) AS chord
		FROM (
			SELECT coalesce(slot_class(class) + 0.5, 0) AS low, coalesce(slot_class(class) + 0.5, 1000) AS high
			FROM unnest($4::text[]) AS class
		) AS class,
		LATERAL (
			SELECT cube(cube(cube(ll_to_earth($1, $2), low, high), $5, $6), $7, $8) AS spot,
				cube(cube(cube(earth_box(ll_to_earth($1, $2), $3), low, high), $5, $6), $7, $8) AS around
			OFFSET 0
		) AS asked,
		LATERAL (
			SELECT DISTINCT ON (chord, point_id) point_id, chord
			FROM (
				SELECT point_id, chord
				FROM (
					SELECT s.point_id, s.box <-> asked.spot AS chord
					FROM slots s ` + withinBounds + `
					WHERE s.box && asked.around AND sec_to_gc(s.box <-> asked.spot) <= $3
					ORDER BY s.box <-> asked.spot
					OFFSET 0
				) AS walked
				ORDER BY chord, point_id
				OFFSET 0
			) AS sorted
			ORDER BY chord, point_id
			LIMIT $9
		) AS near
		GROUP BY near.point_id
		ORDER BY min(near.chord), near.point_id
		LIMIT $9
	) AS found
	JOIN points p ON p.id = found.point_id
	ORDER BY found.chord, p.id`
}

func (q nearbyQuery) slotsArgs() []any {
	classes := []*string{nil} // any
	if len(q.Accepts) > 0 {
		classes = nil
	}
	for _, class := range q.Accepts {
		name := string(class)
		classes = append(classes, &name)
	}
	const middle = 0.5 // of a day, of a minute: no span begins or ends there
	days, minutes := [2]float64{-1, 7}, [2]float64{0, day}
	if q.Open != nil {
		at, minute := float64(q.Open.day)+middle, float64(q.Open.minute)+middle
		days, minutes = [2]float64{at, at}, [2]float64{minute, minute}
	}
	args := []any{
		q.Lat, q.Lng, q.RadiusM, classes, days[0], days[1], minutes[0], minutes[1], q.Limit,
	}
	if b := q.Bounds; b != nil {
		args = append(args, b.South, b.West, b.North, b.East)
	}
	return args
}

// keepOrder makes the planner take the index's order, and the index in a small table too. It believes
// that a box holds a thousandth of all points, however large it is, and would sort a city's points to
// find five. The price that it writes on a sort of five rows now must not make it compile the query.
func keepOrder() []string {
	return []string{"SET LOCAL enable_sort = off", "SET LOCAL enable_seqscan = off", "SET LOCAL jit = off"}
}

// nearby walks from point to point while those that are asked for are common; where too few were met, it
// finds them by their slots, which passes over all others but has to look at every combination of hours.
func (s *store) nearby(ctx context.Context, q nearbyQuery) ([]NearbyPoint, error) {
	points, err := s.inOrder(ctx, walkSQL, q.walkArgs())
	if err != nil || len(points) == q.Limit || !q.filtered() {
		return points, err
	}
	return s.inOrder(ctx, q.slotsSQL(), q.slotsArgs())
}

func (s *store) inOrder(ctx context.Context, sql string, args []any) ([]NearbyPoint, error) {
	points := []NearbyPoint{}
	batch := &pgx.Batch{} // one round trip
	batch.Queue("BEGIN READ ONLY")
	for _, setting := range keepOrder() {
		batch.Queue(setting)
	}
	batch.Queue(sql, args...).Query(func(rows pgx.Rows) error {
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
	var found NearbyPoint
	p, err := scanPoint(row, &found.DistanceM)
	found.Point = p
	return found, err
}
