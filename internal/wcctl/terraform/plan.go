package terraform

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// Action is what will happen to a resource.
type Action string

// The actions that Terraform plans; a refresh or a read is none.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
	Forget  Action = "remove"
	Move    Action = "move"
	Import  Action = "import"
)

// Change is one line of a plan.
type Change struct {
	// Address is the resource, or `output.NAME`.
	Address string `json:"address"`
	Action  Action `json:"action"`
	// Reason is Terraform's word for why, e.g. tainted or cannot_update; it may be empty.
	Reason string `json:"reason,omitempty"`
}

// plan is what was shown and is saved in a file of this client's own: two runs never apply each
// other's plans.
type plan struct {
	file    string
	destroy bool
	changes []Change
}

// Plan compares the machines with the configuration, and saves the plan for Apply. No change is an
// empty list.
func (c *Client) Plan(ctx context.Context, sink event.Sink) ([]Change, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plan(ctx, sink, false)
}

// PlanDestroy lists what Destroy will delete, and saves that plan.
func (c *Client) PlanDestroy(ctx context.Context, sink event.Sink) ([]Change, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.plan(ctx, sink, true)
}

func (c *Client) plan(ctx context.Context, sink event.Sink, destroy bool) ([]Change, error) {
	const act = "planning the machines"
	if err := c.forget(); err != nil {
		return nil, err
	}
	if err := c.open(ctx, sink); err != nil {
		return nil, err
	}
	// The file exists before, for its mode: a plan holds the state.
	file, err := os.CreateTemp(c.options.Dir, planFiles)
	if err != nil {
		return nil, &Error{Act: act, Cause: err}
	}
	p := &plan{file: filepath.Base(file.Name()), destroy: destroy}
	c.planned = p
	if err := file.Close(); err != nil {
		return nil, &Error{Act: act, Cause: err}
	}
	options := []tfexec.PlanOption{
		tfexec.Out(p.file), tfexec.Destroy(destroy), tfexec.Lock(!c.options.Dry),
	}
	if !destroy {
		for _, address := range c.options.Replace {
			options = append(options, tfexec.Replace(address))
		}
	}
	changed := false
	s, err := c.run(ctx, act, sink, func(w io.Writer) (err error) {
		changed, err = c.tf.PlanJSON(ctx, w, options...)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, c.forget())
	}
	if changed {
		p.changes = s.changes
	}
	return p.changes, nil
}

// forget removes the saved plan.
func (c *Client) forget() error {
	if c.planned == nil {
		return nil
	}
	err := os.Remove(c.path(c.planned.file))
	c.planned = nil
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return &Error{Act: "removing the plan", Cause: err}
	}
	return nil
}

func (c *Client) path(name string) string { return filepath.Join(c.options.Dir, name) }

// shown is the path of that file which the user knows.
func (c *Client) shown(name string) string { return filepath.Join(c.options.Shown, name) }
