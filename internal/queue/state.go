package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Ref names one task.
type Ref struct{ Queue, ID string }

// State is where a task is: asynq's word, or one of the two below.
type State string

// The states that asynq has no word for. Neither ever runs.
const (
	Gone   State = ""       // Redis knows nothing of it
	Orphan State = "orphan" // active, but no worker holds it: asynq never recovers it
)

// Runs tells whether the task will run, or does, if workers take from its queue.
func (s State) Runs() bool {
	return s == "pending" || s == "active" || s == "scheduled" || s == "retry"
}

// States looks at tasks in one round trip.
func States(ctx context.Context, jobs *redis.Client, tasks []Ref) ([]State, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	states := make([]*redis.StringCmd, len(tasks))
	leases := make([]*redis.FloatCmd, len(tasks))
	_, err := jobs.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, t := range tasks {
			states[i] = p.HGet(ctx, prefix(t.Queue)+"t:"+t.ID, "state")
			leases[i] = p.ZScore(ctx, prefix(t.Queue)+"lease", t.ID)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("looking at %d tasks: %w", len(tasks), err)
	}
	found := make([]State, len(tasks))
	for i := range tasks {
		found[i] = State(states[i].Val())
		if found[i] == "active" && errors.Is(leases[i].Err(), redis.Nil) {
			found[i] = Orphan
		}
	}
	return found, nil
}

// Leases tell until when each task belongs to its worker without a heartbeat; zero where none has it.
func Leases(ctx context.Context, jobs *redis.Client, tasks []Ref) ([]time.Time, error) {
	if len(tasks) == 0 {
		return nil, nil
	}
	scores := make([]*redis.FloatCmd, len(tasks))
	_, err := jobs.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, t := range tasks {
			scores[i] = p.ZScore(ctx, prefix(t.Queue)+"lease", t.ID)
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("looking at the leases of %d tasks: %w", len(tasks), err)
	}
	leases := make([]time.Time, len(tasks))
	for i := range tasks {
		if scores[i].Err() == nil {
			leases[i] = time.Unix(int64(scores[i].Val()), 0)
		}
	}
	return leases, nil
}

// prefix begins the keys of a queue.
func prefix(queue string) string { return "asynq:{" + queue + "}:" }
