package modelcall

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// budgetTTL outlives its day in every time zone, so a late settle still finds its key.
const budgetTTL = 48 * time.Hour

// Settle replaces a reservation by what the call really cost.
type Settle func(ctx context.Context, actualMicroUSD int64) error

// Budget caps a day's spending. Reserve answers an Error of kind BudgetExceeded when it is used up.
type Budget interface {
	Reserve(ctx context.Context, microUSD int64) (Settle, error)
}

type unlimited struct{}

func (unlimited) Reserve(context.Context, int64) (Settle, error) {
	return func(context.Context, int64) error { return nil }, nil
}

// RedisBudget shares one daily budget, by UTC day, between processes.
type RedisBudget struct {
	client  *redis.Client
	prefix  string
	limit   int64
	now     func() time.Time
	reserve *redis.Script
	settle  *redis.Script
}

// NewRedisBudget counts under keys "budget:<kind>:<day>"; limit is micro-USD a day.
func NewRedisBudget(
	client *redis.Client, kind string, limit int64, now func() time.Time,
) *RedisBudget {
	return &RedisBudget{
		client:  client,
		prefix:  "budget:" + kind + ":",
		limit:   limit,
		now:     now,
		reserve: redis.NewScript(reserveScript),
		settle:  redis.NewScript(settleScript),
	}
}

const reserveScript = `
local spent = tonumber(redis.call('GET', KEYS[1]) or '0')
if spent + tonumber(ARGV[1]) > tonumber(ARGV[2]) then return 0 end
redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1`

// Redis may be emptied between reserve and settle; then the whole cost is counted anew.
const settleScript = `
if redis.call('EXISTS', KEYS[1]) == 1 then
  return redis.call('INCRBY', KEYS[1], ARGV[1] - ARGV[2])
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
return tonumber(ARGV[1])`

// Reserve takes microUSD from today's budget, or nothing when that would exceed it.
func (b *RedisBudget) Reserve(ctx context.Context, microUSD int64) (Settle, error) {
	now := b.now().UTC()
	keys := []string{b.key(now)}
	ttl := int(budgetTTL.Seconds())
	granted, err := b.reserve.Run(ctx, b.client, keys, microUSD, b.limit, ttl).Bool()
	if err != nil {
		return nil, err
	}
	if !granted {
		midnight := now.Truncate(24 * time.Hour).Add(24 * time.Hour)
		return nil, &Error{
			Kind: BudgetExceeded, RetryAfter: midnight.Sub(now),
			Err: fmt.Errorf("%d micro-USD a day are used up", b.limit),
		}
	}
	return func(ctx context.Context, actual int64) error {
		return b.settle.Run(ctx, b.client, keys, actual, microUSD, ttl).Err()
	}, nil
}

// Spent returns what is spent and reserved today in micro-USD.
func (b *RedisBudget) Spent(ctx context.Context) (int64, error) {
	text, err := b.client.Get(ctx, b.key(b.now().UTC())).Result()
	if errors.Is(err, redis.Nil) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading model budget: %w", err)
	}
	return strconv.ParseInt(text, 10, 64)
}

func (b *RedisBudget) key(now time.Time) string { return b.prefix + now.Format(time.DateOnly) }
