package recycling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

const (
	// adviceTTL is how long an answer is kept; for the last part of it, it is given but asked for
	// anew, so that who asks often never waits.
	adviceTTL   = 7 * 24 * time.Hour
	adviceFresh = 6 * 24 * time.Hour
	// Redis evicts nothing, so the cache bounds itself: to maxAnswers of maxAnswerSize, 64 MiB.
	maxAnswers    = 2048
	maxAnswerSize = 32 << 10
	// flightLease is how long the others wait for who asks the model and no longer says so.
	flightLease = 3 * time.Second
)

// answersKey is the sorted set of the answers' keys by the time when they were written.
const answersKey = "answers"

// adviceCache keeps what a model said about an item. It may lose anything at any time.
type adviceCache struct {
	redis *redis.Client
	// model and prompt name who answered and to which words.
	model, prompt string
	answers       int
	now           func() time.Time
}

func newAdviceCache(advice *redis.Client, model, prompt string) *adviceCache {
	return &adviceCache{redis: advice, model: model, prompt: prompt, answers: maxAnswers, now: time.Now}
}

// cachedAdvice is an answer and when it was given.
type cachedAdvice struct {
	Advice pipeline.Advice `json:"advice"`
	At     time.Time       `json:"at"`
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

// get returns no advice for what is missing; fresh tells whether it need not be asked for anew.
func (c *adviceCache) get(ctx context.Context, key string) (advice *pipeline.Advice, fresh bool, err error) {
	text, err := c.redis.Get(ctx, key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("reading cached advice: %w", err)
	}
	var known cachedAdvice
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, false, fmt.Errorf("decoding cached advice: %w", err)
	}
	if known.Advice.ItemID == "" {
		return nil, false, fmt.Errorf("cached advice %s is about nothing", key)
	}
	known.Advice.Cached = true
	return &known.Advice, c.now().Sub(known.At) < adviceFresh, nil
}

// putAnswer writes an answer and deletes the oldest ones over the bound.
var putAnswer = redis.NewScript(`
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[2], ARGV[3], KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3] - ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
local over = redis.call('ZCARD', KEYS[2]) - ARGV[4]
if over > 0 then
  for _, old in ipairs(redis.call('ZRANGE', KEYS[2], 0, over - 1)) do
    redis.call('DEL', old)
    redis.call('ZREM', KEYS[2], old)
  end
end
return 0`)

func (c *adviceCache) put(ctx context.Context, key string, advice pipeline.Advice) error {
	now := c.now().UTC()
	text, err := json.Marshal(cachedAdvice{advice, now})
	if err != nil {
		return fmt.Errorf("encoding advice: %w", err)
	}
	if len(text) > maxAnswerSize {
		return fmt.Errorf("caching advice: it has %d bytes, more than %d", len(text), maxAnswerSize)
	}
	err = putAnswer.Run(ctx, c.redis, []string{key, answersKey},
		text, adviceTTL.Milliseconds(), now.UnixMilli(), c.answers).Err()
	if err != nil {
		return fmt.Errorf("caching advice: %w", err)
	}
	return nil
}

// lock makes the caller the only one, of all processes, that asks for key until unlock. It returns
// nil where another one is.
func (c *adviceCache) lock(ctx context.Context, key string) (unlock func(), err error) {
	name, token := "flight:"+key, uuid.Must(uuid.NewV4()).String()
	won, err := c.redis.SetNX(ctx, name, token, flightLease).Result()
	if err != nil || !won {
		return nil, err
	}
	held, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.keepLock(held, name, token)
	}()
	return func() {
		cancel()
		<-done
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
		defer cancel()
		_ = unlockFlight.Run(ctx, c.redis, []string{name}, token).Err() // else it runs out
	}, nil
}

var (
	renewFlight = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`)
	unlockFlight = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0`)
)

// keepLock renews a lock until ctx ends. Where Redis is away another process may ask, too: that
// costs a call, never an answer.
func (c *adviceCache) keepLock(ctx context.Context, name, token string) {
	ticker := time.NewTicker(flightLease / renewals)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			_ = renewFlight.Run(ctx, c.redis, []string{name}, token, flightLease.Milliseconds()).Err()
		}
	}
}
