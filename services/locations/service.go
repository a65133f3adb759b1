package locations

import (
	"context"
	"log/slog"
	"math"

	"github.com/gofrs/uuid/v5"
)

// grid is the fineness of positions, about a meter: finer than any phone knows where it is, and
// coarse enough that one asker's next question is found in the cache.
const grid = 1e5

// service answers questions about collection points.
type service struct {
	store  *store
	cache  *geoCache
	logger *slog.Logger
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

func (s *service) search(ctx context.Context, query string, limit int) ([]Point, error) {
	return s.store.search(ctx, query, limit)
}

func (s *service) point(ctx context.Context, id uuid.UUID) (Point, error) {
	return s.store.point(ctx, id)
}
