package locations

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// grid is the fineness of positions, about a meter: finer than any phone knows where it is, and
// coarse enough that one asker's next question is found in the cache.
const grid = 1e5

// service answers questions about collection points.
type service struct {
	store  *store
	cache  *geoCache
	logger *slog.Logger
	now    func() time.Time
}

// openNow is the moment that a question about open points means; nil where it asks for all.
func (s *service) openNow(asked bool) *moment {
	if !asked {
		return nil
	}
	at := momentOf(s.now())
	return &at
}

// nearby is exact for the position on the grid. The cache is a help that may be missing.
func (s *service) nearby(ctx context.Context, q nearbyQuery) ([]NearbyPoint, error) {
	q.Lat, q.Lng = math.Round(q.Lat*grid)/grid, math.Round(q.Lng*grid)/grid
	points, ok, err := s.cache.get(ctx, q)
	if err != nil {
		s.logger.WarnContext(ctx, "cached points not read", "error", err)
	}
	if ok {
		return points, nil
	}
	if points, err = s.store.nearby(ctx, q); err != nil {
		return nil, err
	}
	if err := s.cache.put(ctx, q, points); err != nil {
		s.logger.WarnContext(ctx, "points not cached", "error", err)
	}
	return points, nil
}

// withinQuery asks for Limit points in a rectangle.
type withinQuery struct {
	Bounds  rectangle
	Accepts []wasteclass.Class
	Open    *moment
	Limit   int
}

// within returns the points nearest to the middle of the rectangle, and whether there are more.
func (s *service) within(ctx context.Context, q withinQuery) (points []Point, more bool, err error) {
	lat, lng := (q.Bounds.South+q.Bounds.North)/2, (q.Bounds.West+q.Bounds.East)/2
	found, err := s.store.nearby(ctx, nearbyQuery{
		Lat: lat, Lng: lng, RadiusM: q.Bounds.reach(lat, lng), Bounds: &q.Bounds,
		Accepts: q.Accepts, Open: q.Open, Limit: q.Limit + 1,
	})
	if err != nil {
		return nil, false, err
	}
	more = len(found) > q.Limit
	points = []Point{}
	for _, p := range found[:min(len(found), q.Limit)] {
		points = append(points, p.Point)
	}
	return points, more, nil
}

func (s *service) search(ctx context.Context, query string, limit int) ([]Point, error) {
	return s.store.search(ctx, query, limit)
}

func (s *service) point(ctx context.Context, id uuid.UUID) (Point, error) {
	return s.store.point(ctx, id)
}
