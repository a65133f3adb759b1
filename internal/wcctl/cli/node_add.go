package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func newNodeAdd(con *console) *cobra.Command {
	var (
		opts  nodeOptions
		count int
	)
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Add a worker",
		Long: `Add workers: raise their number in wastecoach.yaml, make the machines and join them. The other
machines only learn the new names.

Where the machines are yours, write them into spec.hosts.workers and run wcctl up.`,
		Example: `  wcctl node add
  wcctl node add --count 2 --yes`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if count < 1 {
				return usageErrorf("wcctl node add", "--count %d is less than 1", count)
			}
			return runNodeAdd(cmd.Context(), con, &opts, count)
		},
	}
	cmd.Flags().IntVar(&count, "count", 1, "how many")
	opts.register(cmd)
	return cmd
}

func runNodeAdd(ctx context.Context, con *console, opts *nodeOptions, count int) error {
	return changeNodes(ctx, con, opts, nodeChange{
		command: "node add", done: "added " + workersOf(count),
		prepare: func(c *nodeWork) ([]phase.Phase, error) {
			if c.cluster.Spec.Target == spec.Hosts {
				return nil, &Error{
					Cause: errors.New("wcctl makes no machines for the target hosts: write it into " +
						"spec.hosts.workers"),
					Hint: opts.again("up"), ExitCode: exitUsage,
				}
			}
			if err := c.setWorkers(*workersIn(c.cluster) + count); err != nil {
				return nil, err
			}
			return append([]phase.Phase{declareWorkers{c}}, phase.List()...), nil
		},
	})
}
