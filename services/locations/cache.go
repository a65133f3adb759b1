package locations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	geoTTL = 10 * time.Minute
	// cacheTimeout keeps a slow Redis from making an answer slower than the database would.
	cacheTimeout = 250 * time.Millisecond
)

// geoCache keeps answers to nearby. It may lose anything at any time.
type geoCache struct {
	redis   *redis.Client
	lookups *prometheus.CounterVec
}

func newGeoCache(common *redis.Client, registry prometheus.Registerer) *geoCache {
	c := &geoCache{redis: common, lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "locations_cache_total", Help: "Look-ups of cached points: hit, miss or error.",
	}, []string{"result"})}
	registry.MustRegister(c.lookups)
	return c
}

// key is the same for the same classes in any order.
func (c *geoCache) key(q nearbyQuery) string {
	accepts := words(q.Accepts)
	slices.Sort(accepts)
	return fmt.Sprintf("geo:nearby:%.5f:%.5f:%d:%d:%s",
		q.Lat, q.Lng, q.RadiusM, q.Limit, strings.Join(slices.Compact(accepts), ","))
}

func (c *geoCache) get(ctx context.Context, q nearbyQuery) ([]NearbyPoint, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	text, err := c.redis.Get(ctx, c.key(q)).Bytes()
	if errors.Is(err, redis.Nil) {
		c.lookups.WithLabelValues("miss").Inc()
		return nil, false, nil
	}
	var points []NearbyPoint
	if err == nil {
		err = json.Unmarshal(text, &points)
	}
	if err != nil {
		c.lookups.WithLabelValues("error").Inc()
		return nil, false, fmt.Errorf("reading cached points: %w", err)
	}
	c.lookups.WithLabelValues("hit").Inc()
	return points, true, nil
}

func (c *geoCache) put(ctx context.Context, q nearbyQuery, points []NearbyPoint) error {
	text, err := json.Marshal(points)
	if err != nil {
		return fmt.Errorf("encoding points: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cacheTimeout)
	defer cancel()
	if err := c.redis.Set(ctx, c.key(q), text, geoTTL).Err(); err != nil {
		return fmt.Errorf("caching points: %w", err)
	}
	return nil
}
