package terraform

import (
	"context"
	"errors"
	"io"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// machinesOutput is the only output that a module has.
const machinesOutput = "machines"

// ErrNoMachines tells that nothing has been applied yet, or that all has been destroyed.
var ErrNoMachines = errors.New("no machines have been made yet")

// Machines reads the machines from the state, after Apply or in a later run.
func (c *Client) Machines(ctx context.Context) (fleet.Fleet, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const act = "reading the machines"
	if err := c.open(ctx, nil); err != nil {
		return nil, err
	}
	var outputs map[string]tfexec.OutputMeta
	_, err := c.run(ctx, act, nil, func(io.Writer) (err error) {
		outputs, err = c.tf.Output(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	output, ok := outputs[machinesOutput]
	if !ok {
		return nil, &Error{Act: act, Cause: ErrNoMachines, Hint: "wcctl up"}
	}
	machines, err := fleet.Parse(output.Value)
	if err != nil {
		return nil, &Error{Act: act, Cause: err}
	}
	return machines, nil
}
