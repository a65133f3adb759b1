package queue_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/queue"
)

func stat(t *testing.T, jobs *redis.Client) queue.Stat {
	t.Helper()
	stats, err := queue.Stats(t.Context(), jobs, queue.Waste, queue.Recycling)
	if err != nil || len(stats) != 2 {
		t.Fatalf("%+v, %v", stats, err)
	}
	if empty := stats[1]; empty.Depth != (queue.Depth{Queue: "recycling"}) || empty.Paused ||
		!empty.OldestPending.IsZero() || empty.Processed != 0 || empty.Orphans != nil {
		t.Errorf("a queue that was never used: %+v", empty)
	}
	return stats[0]
}

func TestStatsTellWhatDepthsLeaveOut(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{Concurrency: 1})
	jobs := b.redis.Client(1)
	began, release := make(chan struct{}), make(chan struct{})
	b.server.Handle("waste:test", func(_ context.Context, payload []byte) error {
		if string(payload) == `"block"` {
			close(began)
			<-release
		}
		return nil
	})
	b.run(t)
	b.enqueue(t, queue.Task{ID: "first"})
	waitUntil(t, "the first task", func() bool { return stat(t, jobs).Processed == 1 })
	b.enqueue(t, queue.Task{ID: "held", Payload: "block"})
	wait(t, "the blocking task", began)
	before := time.Now().Add(-time.Millisecond)
	b.enqueue(t, queue.Task{ID: "oldest"})
	b.enqueue(t, queue.Task{ID: "newer"})
	s := stat(t, jobs)
	if s.Pending != 2 || s.Active != 1 || s.Failed != 0 || len(s.Orphans) != 0 || s.Paused {
		t.Errorf("%+v", s)
	}
	if s.OldestPending.Before(before) || s.OldestPending.After(time.Now()) {
		t.Errorf("oldest since %s, want after %s", s.OldestPending, before)
	}
	refs := []queue.Ref{
		{Queue: "waste", ID: "held"}, {Queue: "waste", ID: "oldest"}, {Queue: "waste", ID: "none"},
	}
	states(t, jobs, refs, "active", "pending", queue.Gone)
	leases, err := queue.Leases(t.Context(), jobs, refs)
	if err != nil || time.Until(leases[0]) <= 0 || time.Until(leases[0]) > time.Minute || !leases[1].IsZero() {
		t.Errorf("leases %v, %v", leases, err)
	}
	// As asynq leaves a task when its lease was evicted or lost in a failover.
	if err := jobs.ZRem(t.Context(), "asynq:{waste}:lease", "held").Err(); err != nil {
		t.Fatal(err)
	}
	if s := stat(t, jobs); !slices.Equal(s.Orphans, []string{"held"}) {
		t.Errorf("orphans %v", s.Orphans)
	}
	states(t, jobs, refs[:1], queue.Orphan)
	close(release)
}

func states(t *testing.T, jobs *redis.Client, refs []queue.Ref, want ...queue.State) {
	t.Helper()
	got, err := queue.States(t.Context(), jobs, refs)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("states %q, %v, want %q", got, err, want)
	}
	for _, s := range got {
		if runs := s == "active" || s == "pending"; s.Runs() != runs {
			t.Errorf("%q runs: %t", s, s.Runs())
		}
	}
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", patience, what)
		}
		<-tick.C
	}
}

// Our Pause is asynq's.
func TestPause(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{})
	jobs := b.redis.Client(1)
	b.enqueue(t, queue.Task{ID: "a"})
	for i, tt := range []struct{ paused, changed bool }{
		{true, true}, {true, false}, {false, true}, {false, false},
	} {
		changed, err := queue.Pause(t.Context(), jobs, queue.Waste, tt.paused)
		if err != nil || changed != tt.changed {
			t.Errorf("%d: changed %t, %v", i, changed, err)
		}
		info, err := b.inspector.GetQueueInfo(queue.Waste)
		if err != nil || info.Paused != tt.paused || stat(t, jobs).Paused != tt.paused {
			t.Errorf("%d: asynq says paused %t, %v", i, info.Paused, err)
		}
	}
}

func TestStatsWithoutRedis(t *testing.T) {
	t.Parallel()
	away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer away.Close()
	if _, err := queue.Stats(t.Context(), away, queue.Waste); err == nil {
		t.Error("stats without Redis")
	}
	if _, err := queue.States(t.Context(), away, []queue.Ref{{Queue: "waste", ID: "a"}}); err == nil {
		t.Error("states without Redis")
	}
	if _, err := queue.Pause(t.Context(), away, queue.Waste, true); err == nil {
		t.Error("paused without Redis")
	}
}
