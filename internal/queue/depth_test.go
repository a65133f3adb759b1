package queue_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/queue"
)

func TestDepthsEqualWhatAsynqHolds(t *testing.T) {
	t.Parallel()
	b := setup(t, queue.Config{Concurrency: 1})
	began, release := make(chan struct{}), make(chan struct{})
	b.server.Handle("waste:test", func(_ context.Context, payload []byte) error {
		switch string(payload) {
		case `"block"`:
			close(began)
			<-release
			return nil
		case `"dead"`:
			return queue.Permanent(errors.New("dead"))
		default:
			return &queue.RetryError{Err: errors.New("later"), Delay: time.Hour}
		}
	})
	b.run(t)
	for _, id := range []string{"dead", "deader"} {
		b.enqueue(t, queue.Task{ID: id, Payload: "dead"})
		b.eventually(t, id, asynq.TaskStateArchived)
	}
	for i := range 4 { // no two states have the same count
		id := fmt.Sprintf("retry:%d", i)
		b.enqueue(t, queue.Task{ID: id, Payload: "retry", MaxRetry: 3})
		b.eventually(t, id, asynq.TaskStateRetry)
	}
	b.enqueue(t, queue.Task{ID: "scheduled:more", Delay: time.Hour})
	b.enqueue(t, queue.Task{ID: "scheduled:most", Delay: time.Hour})
	b.enqueue(t, queue.Task{ID: "scheduled:last", Delay: time.Hour})
	b.enqueue(t, queue.Task{ID: "active", Payload: "block"})
	wait(t, "the blocking task", began)
	defer close(release)
	for i := range 3 {
		b.enqueue(t, queue.Task{ID: fmt.Sprintf("pending:%d", i), Payload: "x"})
	}
	for i := range 2 {
		b.enqueue(t, queue.Task{ID: fmt.Sprintf("scheduled:%d", i), Delay: time.Hour})
	}
	jobs := b.redis.Client(1)
	want := queue.Depth{Queue: "waste", Pending: 3, Active: 1, Scheduled: 5, Retry: 4, Archived: 2}
	check := func(when string) {
		t.Helper()
		got, err := queue.Depths(t.Context(), jobs, queue.Waste, queue.Recycling)
		if err != nil || len(got) != 2 || got[0] != want || got[1] != (queue.Depth{Queue: "recycling"}) {
			t.Errorf("%s: got %+v, %v", when, got, err)
		}
		collected(t, jobs, want)
	}
	info, err := b.inspector.GetQueueInfo(queue.Waste)
	if err != nil {
		t.Fatal(err)
	}
	if asynqs := (queue.Depth{
		Queue: info.Queue, Pending: int64(info.Pending), Active: int64(info.Active),
		Scheduled: int64(info.Scheduled), Retry: int64(info.Retry), Archived: int64(info.Archived),
		Completed: int64(info.Completed),
	}); asynqs != want {
		t.Fatalf("asynq holds %+v", asynqs)
	}
	check("all there")
	if err := jobs.Del(t.Context(), "asynq:{waste}:t:pending:0").Err(); err != nil {
		t.Fatal(err)
	}
	check("with a vanished task hash")
}

// collected compares what Prometheus sees with want.
func collected(t *testing.T, jobs *redis.Client, want queue.Depth) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(queue.NewCollector(jobs, queue.Waste))
	families, err := registry.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "queue_tasks" {
		t.Fatalf("gathered %v, %v", families, err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		var name, state string
		for _, l := range m.GetLabel() {
			switch l.GetName() {
			case "queue":
				name = l.GetValue()
			case "state":
				state = l.GetValue()
			}
		}
		if name != want.Queue {
			t.Errorf("queue %q", name)
		}
		got[state] = m.GetGauge().GetValue()
	}
	for state, n := range map[string]int64{
		"pending": want.Pending, "active": want.Active, "scheduled": want.Scheduled,
		"retry": want.Retry, "archived": want.Archived, "completed": want.Completed,
	} {
		if v, ok := got[state]; !ok || v != float64(n) {
			t.Errorf("%s: Prometheus sees %v (%t), want %d", state, v, ok, n)
		}
	}
}

func TestDepthsWithoutRedis(t *testing.T) {
	t.Parallel()
	away := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer away.Close()
	if _, err := queue.Depths(t.Context(), away, queue.Waste); err == nil {
		t.Error("depths without Redis")
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(queue.NewCollector(away, queue.Waste))
	if families, err := registry.Gather(); err == nil {
		t.Errorf("gathered %v: zeros would look like an empty queue", families)
	}
}
