package ratelimit

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

const (
	// remembered bounds the memory: what is forgotten begins anew.
	remembered = 100_000
	// redisTimeout is what a request waits for Redis, redisPause how long nobody asks it after it
	// did not answer.
	redisTimeout = 200 * time.Millisecond
	redisPause   = time.Second
)

//go:embed gcra.lua
var gcra string

// Key says whose requests are counted together.
type Key struct {
	// Method and Route are what is asked for; empty for all routes together.
	Method, Route string
	// Who is a user's id or an address.
	Who [16]byte
}

// Options are what a Limiter is made of.
type Options struct {
	// Service is the first part of names: the routes of each service are counted on their own.
	Service string
	// Redis is the database that may forget; nil counts in this process only.
	Redis    *redis.Client
	Registry prometheus.Registerer
	Logger   *slog.Logger
	Now      func() time.Time
}

// Limiter counts requests.
type Limiter struct {
	Options
	cells  *otter.Cache[Key, *cell]
	script *redis.Script
	away   prometheus.Counter
	// awayUntil is when Redis may be asked again, in Unix nanoseconds.
	awayUntil atomic.Int64
}

// cell is the time until which somebody's requests are spread out, in Unix nanoseconds.
type cell struct{ until atomic.Int64 }

// New returns a Limiter without any counts.
func New(opts Options) (*Limiter, error) {
	cells, err := otter.New(&otter.Options[Key, *cell]{
		MaximumSize:      remembered,
		ExpiryCalculator: otter.ExpiryAccessing[Key, *cell](time.Hour),
	})
	if err != nil {
		return nil, fmt.Errorf("making the limiter's memory: %w", err)
	}
	l := &Limiter{
		Options: opts, cells: cells, script: redis.NewScript(gcra),
		away: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: opts.Service, Name: "limits_not_shared_total",
			Help: "Requests that were counted in this process only, because Redis gave no answer.",
		}),
	}
	opts.Registry.MustRegister(l.away)
	return l, nil
}

// Here counts in this process, without asking anybody: so many times the rate may pass as there are
// processes.
func (l *Limiter) Here(key Key, rate Rate) Decision {
	c, ok := l.cells.GetIfPresent(key)
	if !ok {
		c, _ = l.cells.SetIfAbsent(key, &cell{})
	}
	for {
		now, before := l.Now(), c.until.Load()
		until, decision := rate.take(now, time.Unix(0, before))
		if !decision.Allowed || c.until.CompareAndSwap(before, until.UnixNano()) {
			return decision
		}
	}
}

// Everywhere counts in this process and, where that lets pass, for all processes in Redis. Where
// Redis gives no answer, this process decides alone.
func (l *Limiter) Everywhere(ctx context.Context, key Key, rate Rate) Decision {
	here := l.Here(key, rate)
	if !here.Allowed || l.Redis == nil {
		return here
	}
	if l.Now().UnixNano() < l.awayUntil.Load() {
		l.away.Inc()
		return here
	}
	shared, err := l.shared(ctx, key, rate)
	if err != nil {
		if ctx.Err() == nil { // a client that left says nothing about Redis
			l.away.Inc()
			l.awayUntil.Store(l.Now().Add(redisPause).UnixNano())
			l.Logger.WarnContext(ctx, "limits are not shared", "error", err)
		}
		return here
	}
	return shared
}

func (l *Limiter) shared(ctx context.Context, key Key, rate Rate) (Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	got, err := l.script.Run(ctx, l.Redis, []string{l.name(key)},
		rate.interval().Microseconds(), rate.window.Microseconds()).Int64Slice()
	if err != nil {
		return Decision{}, err
	}
	if len(got) != 3 {
		return Decision{}, fmt.Errorf("the script answered %v", got)
	}
	reset, wait := time.Duration(got[1])*time.Microsecond, time.Duration(got[2])*time.Microsecond
	if got[0] == 0 {
		return Decision{Reset: reset, RetryAfter: wait}, nil
	}
	return rate.allowed(reset), nil
}

// name has no user's id and no address in it: whoever reads Redis need not learn who asked what.
func (l *Limiter) name(key Key) string {
	who := sha256.Sum256(key.Who[:])
	return "limit:" + l.Service + ":" + key.Method + " " + key.Route + ":" +
		base64.RawURLEncoding.EncodeToString(who[:12])
}
