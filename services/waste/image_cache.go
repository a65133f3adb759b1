package waste

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/imagehash"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/vision"
)

// Bounds of the image cache: Redis evicts nothing, so the cache keeps its own size.
const (
	imageTTL      = 7 * 24 * time.Hour
	maxImages     = 100_000
	maxBandSize   = 512 // a band that many photos share tells nothing
	maxCandidates = 200 // photos that are compared in one lookup, those first that share most
)

// imageCache knows the answers to photos seen before. Keys, below image:<generation>: —
//
//	photo:<sha256>  hash: verdict, fingerprint, advice:<locale>
//	band:<band>     sorted set of sha256 by time, the index of near fingerprints
//	seen            sorted set of sha256 by time, which bounds the size
//
// A generation is one model with one prompt: another one asks anew.
type imageCache struct {
	redis      *redis.Client
	prefix     string
	thresholds imagehash.Thresholds
	metrics    *metrics
	logger     *slog.Logger
	now        func() time.Time
}

// generation names the cache of a model and its prompt.
func generation(model, promptVersion string) string {
	sum := sha256.Sum256([]byte(model + "\x00" + promptVersion))
	return hex.EncodeToString(sum[:6])
}

// knownImage is what the cache has on one photo. Advice is by locale and may lack some.
type knownImage struct {
	// Sum is the photo's sha256.
	Sum     []byte
	Verdict vision.Verdict
	Advice  map[string]pipeline.Advice
}

// exact looks a photo up by its bytes. A broken cache is a miss.
func (c *imageCache) exact(ctx context.Context, sum []byte) (knownImage, bool) {
	known, ok := c.read(ctx, hex.EncodeToString(sum))
	c.metrics.lookup("exact", ok)
	return known, ok
}

// similar looks for a photo that is almost the same.
func (c *imageCache) similar(ctx context.Context, f imagehash.Fingerprint) (knownImage, bool) {
	sum, err := c.nearest(ctx, f)
	if err != nil {
		c.logger.WarnContext(ctx, "image cache unreadable", "error", err)
	}
	var known knownImage
	ok := false
	if sum != "" {
		known, ok = c.read(ctx, sum)
	}
	c.metrics.lookup("perceptual", ok)
	return known, ok
}

func (c *imageCache) read(ctx context.Context, sum string) (knownImage, bool) {
	fields, err := c.redis.HGetAll(ctx, c.photo(sum)).Result()
	if err != nil {
		c.logger.WarnContext(ctx, "image cache unreadable", "error", err)
		return knownImage{}, false
	}
	known := knownImage{Advice: map[string]pipeline.Advice{}}
	if json.Unmarshal([]byte(fields["verdict"]), &known.Verdict) != nil {
		return knownImage{}, false
	}
	if known.Sum, err = hex.DecodeString(sum); err != nil {
		return knownImage{}, false
	}
	for _, locale := range []string{"ko", "en"} {
		var advice pipeline.Advice
		if json.Unmarshal([]byte(fields["advice:"+locale]), &advice) == nil {
			known.Advice[locale] = advice
		}
	}
	return known, true
}

// nearest returns the sha256 of a photo that is similar to f, or "".
func (c *imageCache) nearest(ctx context.Context, f imagehash.Fingerprint) (string, error) {
	candidates, err := c.candidates(ctx, f)
	if err != nil || len(candidates) == 0 {
		return "", err
	}
	replies := make([]*redis.StringCmd, len(candidates))
	_, err = c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, sum := range candidates {
			replies[i] = p.HGet(ctx, c.photo(sum), "fingerprint")
		}
		return nil
	})
	if err != nil && err != redis.Nil { //nolint:errorlint // go-redis returns it bare
		return "", err
	}
	query := f.Query(c.thresholds)
	for i, reply := range replies {
		var known imagehash.Fingerprint
		if known.UnmarshalText([]byte(reply.Val())) == nil && query.Similar(&known) {
			return candidates[i], nil
		}
	}
	return "", nil
}

func (c *imageCache) candidates(ctx context.Context, f imagehash.Fingerprint) ([]string, error) {
	var replies []*redis.StringSliceCmd
	_, err := c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, band := range f.Probes() {
			replies = append(replies, p.ZRange(ctx, c.band(band), 0, -1))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	shared := map[string]int{}
	for _, reply := range replies {
		for _, sum := range reply.Val() {
			shared[sum]++
		}
	}
	candidates := slices.Collect(maps.Keys(shared))
	slices.SortFunc(candidates, func(a, b string) int {
		return cmp.Or(cmp.Compare(shared[b], shared[a]), cmp.Compare(a, b))
	})
	return candidates[:min(len(candidates), maxCandidates)], nil
}

// remember keeps the answer to a photo for whoever sends the same one, or almost the same one.
func (c *imageCache) remember(
	ctx context.Context, sum []byte, fingerprint, locale string,
	v vision.Verdict, a pipeline.Advice,
) {
	err := c.write(ctx, hex.EncodeToString(sum), fingerprint, locale, v, a)
	if err != nil {
		c.logger.WarnContext(ctx, "answer not cached", "error", err)
	}
}

func (c *imageCache) write(
	ctx context.Context, sum, fingerprint, locale string, v vision.Verdict, a pipeline.Advice,
) error {
	var f imagehash.Fingerprint
	if err := f.UnmarshalText([]byte(fingerprint)); err != nil {
		return err
	}
	verdict, err := json.Marshal(v)
	if err != nil {
		return err
	}
	advice, err := json.Marshal(a)
	if err != nil {
		return err
	}
	_, err = c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, c.photo(sum),
			"verdict", verdict, "fingerprint", fingerprint, "advice:"+locale, advice)
		p.PExpire(ctx, c.photo(sum), imageTTL)
		now := c.now()
		seen := redis.Z{Score: float64(now.UnixMilli()), Member: sum}
		outdated := strconv.FormatInt(now.Add(-imageTTL).UnixMilli(), 10)
		for _, band := range f.Bands() {
			key := c.band(band)
			p.ZAdd(ctx, key, seen)
			p.ZRemRangeByScore(ctx, key, "-inf", outdated)
			p.ZRemRangeByRank(ctx, key, 0, -maxBandSize-1)
			p.PExpire(ctx, key, imageTTL)
		}
		p.ZAdd(ctx, c.prefix+"seen", seen)
		p.PExpire(ctx, c.prefix+"seen", imageTTL)
		return nil
	})
	if err != nil {
		return err
	}
	return c.trim(ctx)
}

// trim drops the oldest photos over the bound; their places in the bands expire by themselves.
func (c *imageCache) trim(ctx context.Context) error {
	over, err := c.redis.ZRange(ctx, c.prefix+"seen", 0, -maxImages-1).Result()
	if err != nil || len(over) == 0 {
		return err
	}
	_, err = c.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, sum := range over {
			p.Del(ctx, c.photo(sum))
			p.ZRem(ctx, c.prefix+"seen", sum)
		}
		return nil
	})
	return err
}

// forget drops an answer that a user called wrong: the photo's own, and that of the one like it.
func (c *imageCache) forget(ctx context.Context, sum []byte, fingerprint *string) {
	sums := [][]byte{sum}
	var f imagehash.Fingerprint
	if fingerprint != nil && f.UnmarshalText([]byte(*fingerprint)) == nil {
		like, err := c.nearest(ctx, f)
		if raw, decodeErr := hex.DecodeString(like); err == nil && decodeErr == nil && like != "" {
			sums = append(sums, raw)
		}
	}
	if _, err := c.forgetPhotos(ctx, sums); err != nil {
		c.logger.WarnContext(ctx, "cached answer not forgotten", "error", err)
	}
}

// forgetPhotos drops what is known of photos, their places in the index included, and tells of how
// many there was something.
func (c *imageCache) forgetPhotos(ctx context.Context, sums [][]byte) (int64, error) {
	var n int64
	for _, raw := range sums {
		sum := hex.EncodeToString(raw)
		mark, err := c.redis.HGet(ctx, c.photo(sum), "fingerprint").Result()
		if errors.Is(err, redis.Nil) {
			continue
		}
		if err != nil {
			return n, fmt.Errorf("reading the image cache: %w", err)
		}
		var f imagehash.Fingerprint
		if err := f.UnmarshalText([]byte(mark)); err != nil {
			return n, fmt.Errorf("reading a cached fingerprint: %w", err)
		}
		_, err = c.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Del(ctx, c.photo(sum))
			p.ZRem(ctx, c.prefix+"seen", sum)
			for _, band := range f.Bands() {
				p.ZRem(ctx, c.band(band), sum)
			}
			return nil
		})
		if err != nil {
			return n, fmt.Errorf("emptying the image cache: %w", err)
		}
		n++
	}
	return n, nil
}

// countPhotos counts those of which something is known.
func (c *imageCache) countPhotos(ctx context.Context, sums [][]byte) (int64, error) {
	var n int64
	for _, raw := range sums {
		found, err := c.redis.Exists(ctx, c.photo(hex.EncodeToString(raw))).Result()
		if err != nil {
			return 0, fmt.Errorf("counting in the image cache: %w", err)
		}
		n += found
	}
	return n, nil
}

func (c *imageCache) photo(sum string) string { return c.prefix + "photo:" + sum }

func (c *imageCache) band(band string) string { return c.prefix + "band:" + band }
