package terraform

import (
	"context"
	"errors"
	"io"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// Apply does the plan that Plan has shown, or makes one first. After an interruption or a failure
// the state tells what exists, and the next Plan goes on from there.
func (c *Client) Apply(ctx context.Context, sink event.Sink) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.apply(ctx, sink, false)
}

// Destroy deletes everything in the state: the plan of PlanDestroy, or one made first.
func (c *Client) Destroy(ctx context.Context, sink event.Sink) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.apply(ctx, sink, true)
}

// errDry refuses what would change the machines.
var errDry = errors.New("this client only plans")

func (c *Client) apply(ctx context.Context, sink event.Sink, destroy bool) error {
	act := "making the machines"
	if destroy {
		act = "deleting the machines"
	}
	if c.options.Dry {
		return &Error{Act: act, Cause: errDry}
	}
	if c.planned == nil || c.planned.destroy != destroy {
		if _, err := c.plan(ctx, sink, destroy); err != nil {
			return err
		}
	}
	p := c.planned
	if len(p.changes) == 0 {
		return c.forget()
	}
	_, err := c.run(ctx, act, sink, func(w io.Writer) error {
		return c.tf.ApplyJSON(ctx, w, tfexec.DirOrPlan(p.file))
	})
	// A plan is good for one try: after it the state is another.
	return errors.Join(err, c.forget())
}
