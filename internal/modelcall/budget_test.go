package modelcall_test

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/testredis"
)

func TestMain(m *testing.M) { os.Exit(testredis.Main(m)) }

func noon() time.Time { return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC) }

func TestBudgetUnderConcurrency(t *testing.T) {
	t.Parallel()
	// A call reserves 100×10 = 1000 and costs 900, so 10 000 allows 11 calls: ten cost 9000.
	budget := modelcall.NewRedisBudget(testredis.New(t).Client(1), "vision", 10_000, noon)
	var tries atomic.Int32
	model := func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
		tries.Add(1)
		return modelcall.Completion{Text: "{}", Usage: modelcall.Usage{OutputTokens: 90}}, nil
	}
	limits := limits()
	limits.Concurrency = 16
	guard, _ := newGuard(t, model, limits, budget)

	var group sync.WaitGroup
	var exceeded atomic.Int32
	for range 64 {
		group.Go(func() {
			_, err := guard.Complete(t.Context(), modelcall.Prompt{})
			if modelcall.KindOf(err) == modelcall.BudgetExceeded {
				exceeded.Add(1)
			}
		})
	}
	group.Wait()
	spent, err := budget.Spent(t.Context())
	if err != nil || spent > 10_000 || spent != int64(tries.Load())*900 {
		t.Errorf("spent %d on %d calls (error %v), want 900 each and at most 10000",
			spent, tries.Load(), err)
	}
	if tries.Load() < 10 || tries.Load()+exceeded.Load() != 64 {
		t.Errorf("%d calls made, %d turned away, want at least 10 and 64 together",
			tries.Load(), exceeded.Load())
	}
}

func TestBudgetEndsAtMidnight(t *testing.T) {
	t.Parallel()
	now := noon()
	clock := func() time.Time { return now }
	budget := modelcall.NewRedisBudget(testredis.New(t).Client(1), "llm", 100, clock)
	if _, err := budget.Reserve(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	_, err := budget.Reserve(t.Context(), 1)
	var call *modelcall.Error
	if !errors.As(err, &call) || call.Kind != modelcall.BudgetExceeded || call.Retryable ||
		call.RetryAfter != 12*time.Hour {
		t.Fatalf("got %+v, want budget_exceeded for 12 h", call)
	}
	now = now.Add(12 * time.Hour)
	if _, err := budget.Reserve(t.Context(), 100); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

func TestBudgetSettlesAfterFlush(t *testing.T) {
	t.Parallel()
	client := testredis.New(t).Client(1)
	budget := modelcall.NewRedisBudget(client, "vision", 1000, noon)
	settle, err := budget.Reserve(t.Context(), 500)
	if err != nil {
		t.Fatal(err)
	}
	client.FlushDB(t.Context())
	if err := settle(t.Context(), 300); err != nil {
		t.Fatal(err)
	}
	if spent, err := budget.Spent(t.Context()); err != nil || spent != 300 {
		t.Errorf("spent %d, error %v; want 300", spent, err)
	}
	if ttl := client.TTL(t.Context(), "budget:vision:2026-11-23").Val(); ttl <= 0 {
		t.Errorf("key never expires (TTL %v)", ttl)
	}
}

func TestBudgetCharges(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		usage modelcall.Usage
		err   error
		want  int64
	}{
		"usage told":            {modelcall.Usage{InputTokens: 5, OutputTokens: 1}, nil, 15},
		"usage not told":        {modelcall.Usage{}, nil, 1000},
		"answer lost, billed":   {modelcall.Usage{}, &modelcall.Error{Billed: true}, 1000},
		"turned away, not paid": {modelcall.Usage{}, &modelcall.Error{}, 0},
		"invalid, usage told": {
			modelcall.Usage{OutputTokens: 3}, &modelcall.Error{Billed: true}, 30,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			budget := modelcall.NewRedisBudget(testredis.New(t).Client(1), "vision", 5000, noon)
			guard, _ := newGuard(t,
				func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
					return modelcall.Completion{Usage: c.usage}, c.err
				}, limits(), budget)
			_, _ = guard.Complete(t.Context(), modelcall.Prompt{})
			if spent, err := budget.Spent(t.Context()); err != nil || spent != c.want {
				t.Errorf("spent %d, error %v; want %d", spent, err, c.want)
			}
		})
	}
}

func TestBudgetUnreachable(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{
		Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1,
	})
	t.Cleanup(func() { _ = client.Close() })
	budget := modelcall.NewRedisBudget(client, "vision", 1000, noon)
	guard, _ := newGuard(t, func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
		t.Error("the model was called without a budget")
		return modelcall.Completion{}, nil
	}, limits(), budget)
	for _, got := range kinds(t.Context(), guard, 10) {
		if got != modelcall.BudgetUnreachable {
			t.Fatalf("got %q, want budget_unreachable and a closed breaker", got)
		}
	}
}
