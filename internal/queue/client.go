// Package queue sends and runs tasks on the asynq queues in Redis.
package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
)

// The queues, one for each worker pool.
const (
	Waste     = "waste"
	Recycling = "recycling"
)

// Headers that travel with a task.
const (
	headerRequestID = "request_id"
	headerJobID     = "job_id"
	headerQueuedAt  = "queued_at_ms"
)

// Task is one hop of a job.
type Task struct {
	// Type is <service>:<verb>; ID makes a second enqueue of the same hop a no-op.
	Type, ID string
	Queue    string
	Payload  any
	// JobID and RequestID go into the logs of whoever runs the task.
	JobID, RequestID string
	Delay            time.Duration
	Timeout          time.Duration
	MaxRetry         int
}

// Client sends tasks.
type Client struct {
	asynq *asynq.Client
	now   func() time.Time
}

// NewClient returns a Client; Close it.
func NewClient(redis asynq.RedisConnOpt) *Client {
	return &Client{asynq: asynq.NewClient(redis), now: time.Now}
}

// Close closes the connections.
func (c *Client) Close() error { return c.asynq.Close() }

// Enqueue sends the task. It returns false where a task with that ID is in the queue already.
func (c *Client) Enqueue(ctx context.Context, t Task) (bool, error) {
	payload, err := json.Marshal(t.Payload)
	if err != nil {
		return false, fmt.Errorf("encoding the payload of %s: %w", t.Type, err)
	}
	task := asynq.NewTaskWithHeaders(t.Type, payload, c.headers(ctx, t),
		asynq.Queue(t.Queue), asynq.TaskID(t.ID), asynq.ProcessIn(t.Delay),
		asynq.Timeout(t.Timeout), asynq.MaxRetry(t.MaxRetry))
	_, err = c.asynq.EnqueueContext(ctx, task)
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("enqueuing %s: %w", t.Type, err)
	}
	return true, nil
}

func (c *Client) headers(ctx context.Context, t Task) map[string]string {
	headers := map[string]string{
		headerRequestID: t.RequestID,
		headerJobID:     t.JobID,
		headerQueuedAt:  strconv.FormatInt(c.now().Add(t.Delay).UnixMilli(), 10),
	}
	otel.GetTextMapPropagator().Inject(ctx, propagation.MapCarrier(headers))
	return headers
}
