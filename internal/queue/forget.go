package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gofrs/uuid/v5"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// scanCount is how many keys one step of a scan looks at.
const scanCount = 1000

// Forgetter removes the tasks of jobs, whatever state they are in; their ids begin with the job's.
type Forgetter struct {
	redis     *redis.Client
	inspector *asynq.Inspector
}

// NewForgetter returns a Forgetter on the jobs database; the inspector stays the caller's.
func NewForgetter(jobs *redis.Client, inspector *asynq.Inspector) *Forgetter {
	return &Forgetter{redis: jobs, inspector: inspector}
}

// Forget removes the jobs' tasks and tells how many there were. One that runs now stays: it ends by
// itself, as its job is gone.
func (f *Forgetter) Forget(ctx context.Context, jobs []uuid.UUID) (int64, error) {
	found, err := f.find(ctx, jobs)
	if err != nil {
		return 0, err
	}
	for _, t := range found {
		// asynq's client names a queue once only: after a flush the inspector would not know it.
		if err := f.redis.SAdd(ctx, "asynq:queues", t.queue).Err(); err != nil {
			return 0, fmt.Errorf("naming queue %s: %w", t.queue, err)
		}
		err := f.inspector.DeleteTask(t.queue, t.id)
		if err == nil || errors.Is(err, asynq.ErrTaskNotFound) {
			continue
		}
		info, infoErr := f.inspector.GetTaskInfo(t.queue, t.id)
		if infoErr == nil && info.State != asynq.TaskStateActive {
			return 0, fmt.Errorf("deleting task %s: %w", t.id, err)
		}
	}
	return int64(len(found)), nil
}

// Count tells how many tasks the jobs have.
func (f *Forgetter) Count(ctx context.Context, jobs []uuid.UUID) (int64, error) {
	found, err := f.find(ctx, jobs)
	return int64(len(found)), err
}

type taskRef struct{ queue, id string }

// find looks through all tasks: asynq has no index by job.
func (f *Forgetter) find(ctx context.Context, jobs []uuid.UUID) ([]taskRef, error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	wanted := make(map[string]bool, len(jobs))
	for _, id := range jobs {
		wanted[id.String()] = true
	}
	var found []taskRef
	keys := f.redis.Scan(ctx, 0, "asynq:{*}:t:*", scanCount).Iterator()
	for keys.Next(ctx) {
		t := parseTaskKey(keys.Val())
		if job, _, _ := strings.Cut(t.id, ":"); wanted[job] {
			found = append(found, t)
		}
	}
	if err := keys.Err(); err != nil {
		return nil, fmt.Errorf("looking through the tasks: %w", err)
	}
	return found, nil
}

// parseTaskKey reads asynq:{queue}:t:id.
func parseTaskKey(key string) taskRef {
	queue, id, _ := strings.Cut(strings.TrimPrefix(key, "asynq:{"), "}:t:")
	return taskRef{queue, id}
}
