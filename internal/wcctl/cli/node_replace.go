package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func newNodeReplace(con *console) *cobra.Command {
	var opts nodeOptions
	cmd := &cobra.Command{
		Use:   "replace NAME",
		Short: "Make a worker anew, be it dead or alive",
		Long: `Make a worker anew under its name: move its pods to other nodes if it lives, delete the node,
have Terraform delete the machine and make another, install it and join it. The other
machines are left alone.

A machine of yours is cleaned and joined again.`,
		Example: `  wcctl node replace demo-worker-1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runNodeReplace(cmd.Context(), con, &opts, args[0])
		},
	}
	opts.registerDrain(cmd)
	opts.register(cmd)
	return cmd
}

func runNodeReplace(ctx context.Context, con *console, opts *nodeOptions, name string) error {
	return changeNodes(ctx, con, opts, nodeChange{
		command: "node replace " + name, done: "replaced " + name, node: name, replace: true,
		prepare: func(c *nodeWork) ([]phase.Phase, error) {
			if _, err := c.worker(opts, name); err != nil {
				return nil, err
			}
			out := []phase.Phase{drainNode{c, name, opts.force, opts.timeout}, deleteNode{c, name}}
			if c.cluster.Spec.Target == spec.Hosts {
				out = append(out, cleanMachine{c, name, false})
			}
			return append(out, phase.List()...), nil
		},
	})
}

// resourceOf is what Terraform makes a machine of anew.
func resourceOf(target spec.Target, name string) []string {
	switch target {
	case spec.Local:
		return []string{`terraform_data.slot["` + name + `"]`}
	case spec.AWS:
		return []string{`aws_instance.machine["` + name + `"]`}
	case spec.Hosts:
	}
	return nil
}
