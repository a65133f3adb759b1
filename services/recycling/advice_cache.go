package recycling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

const (
	adviceTTL = 7 * 24 * time.Hour
	// nationwide is the region of rules that hold in the whole country.
	nationwide = "kr"
)

// adviceCache keeps what a model said about an item. It may lose anything at any time.
type adviceCache struct {
	redis *redis.Client
	// model and prompt name who answered and to which words.
	model, prompt string
}

// key carries the item's digest, so that an answer ends with the rule that it phrases.
func (c *adviceCache) key(item rulebase.Item, region, locale string) (string, error) {
	digest, err := item.Digest()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("advice:%s@%s:%s:%s:%s:%s",
		item.ID, digest, region, locale, c.model, c.prompt), nil
}

// get returns false for what is missing or cannot be read.
func (c *adviceCache) get(ctx context.Context, key string) (pipeline.Advice, bool, error) {
	var advice pipeline.Advice
	text, err := c.redis.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return advice, false, nil
	}
	if err != nil {
		return advice, false, fmt.Errorf("reading cached advice: %w", err)
	}
	if err := json.Unmarshal(text, &advice); err != nil {
		return advice, false, fmt.Errorf("decoding cached advice: %w", err)
	}
	return advice, true, nil
}

func (c *adviceCache) put(ctx context.Context, key string, advice pipeline.Advice) error {
	text, err := json.Marshal(advice)
	if err != nil {
		return fmt.Errorf("encoding advice: %w", err)
	}
	if err := c.redis.Set(ctx, key, text, adviceTTL).Err(); err != nil {
		return fmt.Errorf("caching advice: %w", err)
	}
	return nil
}
