package locations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// Bounds of the cache: Redis evicts nothing, so the cache keeps its own size.
const (
	geoTTL     = 10 * time.Minute
	openTTL    = time.Minute // of answers that hold for one minute of the week
	maxAnswers = 5000        // of at most 50 points each, about 30 kB
	// cacheTimeout keeps a slow Redis from making an answer slower than the database would.
	cacheTimeout = 250 * time.Millisecond
)

// geoCache keeps answers to nearby. It may lose anything at any time. Keys —
//
//	geo:nearby:<question>  the answer
//	geo:seen               sorted set of those keys by time, which bounds their number
type geoCache struct {
	redis   *redis.Client
	now     func() time.Time
	limit   int64
	lookups *prometheus.CounterVec
}

func newGeoCache(common *redis.Client, registry prometheus.Registerer, now func() time.Time) *geoCache {
	c := &geoCache{
		redis: common, now: now, limit: maxAnswers,
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "locations_cache_total", Help: "Look-ups of cached points: hit, miss or error.",
		}, []string{"result"}),
	}
	registry.MustRegister(c.lookups)
	return c
}

const seenKey = "geo:seen"

// key is the same for the same classes in any order.
func (c *geoCache) key(q nearbyQuery) string {
	accepts := words(q.Accepts)
	slices.Sort(accepts)
	open := "any"
	if q.Open != nil {
		open = fmt.Sprintf("%d-%d", q.Open.day, q.Open.minute)
	}
	return fmt.Sprintf("geo:nearby:%.5f:%.5f:%.0f:%d:%s:%s",
		q.Lat, q.Lng, q.RadiusM, q.Limit, open, strings.Join(slices.Compact(accepts), ","))
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
	ttl := geoTTL
	if q.Open != nil {
		ttl = openTTL
	}
	now := c.now()
	outdated := strconv.FormatInt(now.Add(-geoTTL).UnixMilli(), 10)
	var over *redis.StringSliceCmd
	_, err = c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, c.key(q), text, ttl)
		p.ZAdd(ctx, seenKey, redis.Z{Score: float64(now.UnixMilli()), Member: c.key(q)})
		p.ZRemRangeByScore(ctx, seenKey, "-inf", outdated)
		p.PExpire(ctx, seenKey, geoTTL)
		over = p.ZRange(ctx, seenKey, 0, -c.limit-1)
		return nil
	})
	if err == nil && len(over.Val()) > 0 {
		err = c.drop(ctx, over.Val())
	}
	if err != nil {
		return fmt.Errorf("caching points: %w", err)
	}
	return nil
}

// drop forgets the oldest answers, those over the bound.
func (c *geoCache) drop(ctx context.Context, keys []string) error {
	_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Del(ctx, keys...)
		p.ZRem(ctx, seenKey, keys)
		return nil
	})
	return err
}
