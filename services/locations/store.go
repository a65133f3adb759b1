package locations

import (
	"context"
	"errors"
	"fmt"

	"github.com/gofrs/uuid/v5"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// store reads and writes the locations schema.
type store struct{ pool *pgxpool.Pool }

// pointColumns are what scanPoint reads, of points p.
const pointColumns = `p.id, p.source, p.source_id, p.name, p.address, p.lat, p.lng, p.accepts,
		p.opening_hours, p.spans, p.updated_at`

// scanPoint reads pointColumns and what stands behind them.
func scanPoint(row pgx.CollectableRow, more ...any) (Point, error) {
	var p Point
	var spans []int16
	err := row.Scan(append([]any{
		&p.ID, &p.Source, &p.SourceID, &p.Name, &p.Address, &p.Lat, &p.Lng, &p.Accepts,
		&p.OpeningHours, &spans, &p.UpdatedAt,
	}, more...)...)
	p.Hours, p.Links = unpacked(spans), linksOf(&p)
	return p, err
}

// packed are spans as the database keeps them: four numbers each.
func packed(spans []Span) []int16 {
	numbers := make([]int16, 0, 4*len(spans))
	for _, s := range spans {
		//nolint:gosec // days and minutes of a day
		numbers = append(numbers, int16(s.FirstDay), int16(s.LastDay), int16(s.Opens), int16(s.Closes))
	}
	return numbers
}

func unpacked(numbers []int16) []Span {
	spans := []Span{}
	for ; len(numbers) >= 4; numbers = numbers[4:] {
		spans = append(spans, Span{
			FirstDay: int(numbers[0]), LastDay: int(numbers[1]), Opens: int(numbers[2]), Closes: int(numbers[3]),
		})
	}
	return spans
}

func (s *store) point(ctx context.Context, id uuid.UUID) (Point, error) {
	rows, err := s.pool.Query(ctx, "SELECT "+pointColumns+" FROM points p WHERE id = $1", id)
	if err != nil {
		return Point{}, fmt.Errorf("reading point %s: %w", id, err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (Point, error) { return scanPoint(row) })
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
