package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/job"
)

// lookForPickup is short against the times to measure; those come from the server's clock.
const lookForPickup = 4 * time.Millisecond

// Pickup starts n jobs, one after the other, each on idle workers, and returns the sorted times
// from a job's creation to the first state in which somebody works on it. A state that was
// overtaken before we saw it makes the time longer, never shorter.
func Pickup(ctx context.Context, c *client.Client, n int) ([]time.Duration, error) {
	took := make([]time.Duration, 0, n)
	for range n {
		d, err := pickupOnce(ctx, c)
		if err != nil {
			return nil, err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	return took, nil
}

func pickupOnce(ctx context.Context, c *client.Client) (time.Duration, error) {
	s, err := startOne(ctx, c)
	if err != nil {
		return 0, err
	}
	created, id := s.Job.CreatedAt, s.Job.ID.String()
	for s.Job.Status == job.Queued || s.Job.Status == job.AwaitingUpload {
		if sleep(ctx, lookForPickup); ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if s, err = c.Analysis(ctx, id, ""); err != nil {
			return 0, err
		}
	}
	if s.Job.Status != job.Processing {
		return 0, fmt.Errorf("job %s was %s before it was seen in work", id, s.Job.Status)
	}
	took := s.Job.UpdatedAt.Sub(created)
	if took < 0 {
		return 0, errors.New("the server's clocks disagree")
	}
	_, err = c.CancelAnalysis(ctx, id) // the next job shall find idle workers
	if client.IsCode(err, "analysis_finished") {
		err = nil
	}
	return took, err
}
