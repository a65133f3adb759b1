package ratelimit_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/ratelimit"
	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
)

func TestMain(m *testing.M) { os.Exit(testredis.Main(m)) }

// bundle is a limiter with a clock that the test turns.
type bundle struct {
	*ratelimit.Limiter
	registry *prometheus.Registry
	mu       sync.Mutex
	time     time.Time
}

func (b *bundle) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time
}

func (b *bundle) turn(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time = b.time.Add(d)
}

func setup(t *testing.T, client *redis.Client) *bundle {
	t.Helper()
	b := &bundle{registry: prometheus.NewRegistry(), time: time.Unix(1_900_000_000, 0)}
	var err error
	b.Limiter, err = ratelimit.New(ratelimit.Options{
		Service: "demo", Redis: client, Registry: b.registry, Now: b.now,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func common(t *testing.T) *redis.Client {
	t.Helper()
	r := testredis.New(t)
	client := redisdb.Config{Addr: r.Addr(), FirstDB: r.FirstDB()}.Open(redisdb.Common)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func key(who byte) ratelimit.Key {
	return ratelimit.Key{Method: "POST", Route: "/things", Who: [16]byte{who}}
}

func TestRateText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ratelimit.Rate{
		"1200/1m": ratelimit.Per(1200, time.Minute), "1/24h": ratelimit.Per(1, 24*time.Hour), "off": {},
	} {
		var got ratelimit.Rate
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "0", "0/1m", "-1/1m", "5", "5/", "5/0s", "5/1ms", "x/1m", "9000000000/1s", "1.5/1m",
	} {
		if err := new(ratelimit.Rate).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestHere(t *testing.T) {
	t.Parallel()
	b, rate := setup(t, nil), ratelimit.Per(4, time.Minute)
	for want := 3; want >= 0; want-- {
		if d := b.Here(key(1), rate); !d.Allowed || d.Remaining != want {
			t.Fatalf("with %d left: %+v", want, d)
		}
	}
	if d := b.Here(key(1), rate); d.Allowed || d.RetryAfter != 15*time.Second || d.Reset != time.Minute {
		t.Errorf("the fifth: %+v", d)
	}
	if d := b.Here(key(2), rate); !d.Allowed {
		t.Errorf("somebody else: %+v", d)
	}
	b.turn(15*time.Second - 1)
	if d := b.Here(key(1), rate); d.Allowed {
		t.Errorf("just too early: %+v", d)
	}
	b.turn(1)
	if d := b.Here(key(1), rate); !d.Allowed || d.Remaining != 0 {
		t.Errorf("in time: %+v", d)
	}
	b.turn(time.Hour)
	if d := b.Here(key(1), rate); !d.Allowed || d.Remaining != 3 {
		t.Errorf("much later: %+v", d)
	}
}

func TestHereAtOnce(t *testing.T) {
	t.Parallel()
	b, rate := setup(t, nil), ratelimit.Per(100, time.Hour)
	var group sync.WaitGroup
	var mu sync.Mutex
	allowed := 0
	for range 20 {
		group.Go(func() {
			for range 50 {
				if b.Here(key(1), rate).Allowed {
					mu.Lock()
					allowed++
					mu.Unlock()
				}
			}
		})
	}
	group.Wait()
	if allowed != 100 {
		t.Errorf("%d of 1000 passed, want 100", allowed)
	}
}

func TestEverywhere(t *testing.T) {
	t.Parallel()
	client := common(t)
	one, two := setup(t, client), setup(t, client)
	rate := ratelimit.Per(4, time.Hour) // far longer than the test: Redis counts by its own clock
	for i, b := range []*bundle{one, two, one, two} {
		if d := b.Everywhere(t.Context(), key(1), rate); !d.Allowed || d.Remaining != 3-i {
			t.Errorf("request %d: %+v", i, d)
		}
	}
	d := two.Everywhere(t.Context(), key(1), rate)
	if d.Allowed || d.RetryAfter < 14*time.Minute || d.RetryAfter > 15*time.Minute {
		t.Errorf("the fifth: %+v", d)
	}
	names, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(names) != 1 || !strings.HasPrefix(names[0], "limit:demo:POST /things:") {
		t.Errorf("keys %q, %v", names, err)
	}
	if left := client.PTTL(t.Context(), names[0]).Val(); left <= 0 || left > time.Hour {
		t.Errorf("the key lives for %s", left)
	}
}

func TestProcessRefusesWithoutAskingRedis(t *testing.T) {
	t.Parallel()
	client := common(t)
	b, rate := setup(t, client), ratelimit.Per(1, time.Hour)
	b.Everywhere(t.Context(), key(1), rate)
	if err := client.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if d := b.Everywhere(t.Context(), key(1), rate); d.Allowed {
		t.Errorf("Redis forgot, the process must not: %+v", d)
	}
}

func TestRedisAway(t *testing.T) {
	t.Parallel()
	client := redisdb.Config{Addr: "127.0.0.1:1"}.Open(redisdb.Common)
	defer client.Close()
	b, rate := setup(t, client), ratelimit.Per(2, time.Hour)
	for range 2 {
		if d := b.Everywhere(t.Context(), key(1), rate); !d.Allowed {
			t.Errorf("it must let pass: %+v", d)
		}
	}
	if d := b.Everywhere(t.Context(), key(1), rate); d.Allowed {
		t.Errorf("this process' own limit must hold: %+v", d)
	}
	families, err := b.registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "demo_limits_not_shared_total" ||
		families[0].GetMetric()[0].GetCounter().GetValue() != 2 {
		t.Errorf("metrics %v, %v", families, err)
	}
}

func TestClientThatLeft(t *testing.T) {
	t.Parallel()
	b, rate := setup(t, common(t)), ratelimit.Per(2, time.Hour)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	b.Everywhere(gone, key(1), rate)
	if d := b.Everywhere(t.Context(), key(1), rate); !d.Allowed || d.Remaining != 1 {
		t.Errorf("Redis was not asked any more: %+v", d)
	}
}

func BenchmarkHere(b *testing.B) {
	l, err := ratelimit.New(ratelimit.Options{
		Service: "demo", Registry: prometheus.NewRegistry(), Now: time.Now,
	})
	if err != nil {
		b.Fatal(err)
	}
	rate := ratelimit.Per(100_000_000, time.Second)
	b.ReportAllocs()
	for b.Loop() {
		l.Here(key(1), rate)
	}
}
