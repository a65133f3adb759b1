package waste

import (
	"context"
	"fmt"
	"time"

	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/internal/queue"
)

// When the reconciler looks at a job that waits for something.
const (
	uploadCheck = time.Second     // for its photo
	pickupCheck = 5 * time.Second // for a worker to take its task
	adviceCheck = 5 * time.Second // for the recycling worker to bring it back
)

// asynqRetries is out of reach: the row counts the tries, asynq only times them.
const asynqRetries = 100

// outbox sends the task that a job's row asks for.
type outbox struct {
	queue *queue.Client
	cfg   JobsConfig
}

// send enqueues the job's next task. A task that is in the queue already is not sent twice.
func (o *outbox) send(ctx context.Context, a *Analysis) error {
	_, err := o.sendNew(ctx, a)
	return err
}

// sendNew tells whether the task was not in the queue.
func (o *outbox) sendNew(ctx context.Context, a *Analysis) (bool, error) {
	spec := a.task(o.cfg)
	return o.queue.Enqueue(ctx, queue.Task{
		Type: spec.Type, ID: taskID(a), Queue: queueOf(spec.Type), Payload: spec.Payload,
		JobID: a.ID.String(), RequestID: a.RequestID,
		Timeout: spec.Timeout, MaxRetry: asynqRetries,
	})
}

func taskID(a *Analysis) string { return fmt.Sprintf("%s:%d", a.ID, a.Dispatch) }

func queueOf(task string) string {
	if task == pipeline.Advise {
		return queue.Recycling
	}
	return queue.Waste
}
