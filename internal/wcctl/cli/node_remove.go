package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func newNodeRemove(con *console) *cobra.Command {
	var opts nodeOptions
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Empty a worker, and take it away",
		Long: `Take a worker away: move its pods to other nodes, delete the node and its machine, and lower the
number in wastecoach.yaml. Its name is not given to a later worker.

Pods leave as their disruption budgets allow. If that takes longer than --timeout, fails
or is interrupted, the node takes pods again and nothing is lost. A node that does not
answer cannot be emptied: its pods start elsewhere when it is deleted.

A machine of yours is cleaned instead of deleted; take it out of spec.hosts.workers.`,
		Example: `  wcctl node remove demo-worker-2
  wcctl node remove demo-worker-2 --yes --timeout 10m`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runNodeRemove(cmd.Context(), con, &opts, args[0])
		},
	}
	opts.registerDrain(cmd)
	opts.register(cmd)
	return cmd
}

func runNodeRemove(ctx context.Context, con *console, opts *nodeOptions, name string) error {
	var work *nodeWork
	err := changeNodes(ctx, con, opts, nodeChange{
		command: "node remove " + name, done: "removed " + name, node: name,
		prepare: func(c *nodeWork) ([]phase.Phase, error) {
			work = c
			return removal(c, opts, name)
		},
	})
	if err == nil && work.cluster.Spec.Target == spec.Hosts && listed(work.cluster, name) {
		fmt.Fprintf(con.err, "Take %s out of spec.hosts.workers in %s: wcctl up would join it again\n",
			name, opts.file.path(con))
	}
	return err
}

// removal is the way of a worker out of the cluster.
func removal(c *nodeWork, opts *nodeOptions, name string) ([]phase.Phase, error) {
	machine, err := c.worker(opts, name)
	if err != nil {
		return nil, err
	}
	out := []phase.Phase{drainNode{c, name, opts.force, opts.timeout}}
	if c.cluster.Spec.Target == spec.Hosts {
		out = append(out, deleteNode{c, name}, cleanMachine{c, name, opts.force})
		if listed(c.cluster, name) {
			return out, nil
		}
		return append(out, phase.List()...), nil
	}
	if machine.Edge && c.cluster.Spec.Target == spec.AWS {
		return nil, &Error{
			Cause: fmt.Errorf("%s is the cluster's way in and out: it can only be replaced", name),
			Hint:  opts.again("node replace " + name), ExitCode: exitUsage,
		}
	}
	if err := c.retire(opts, name); err != nil {
		return nil, err
	}
	out = append(out, declareWorkers{c}, deleteNode{c, name})
	return append(out, phase.List()...), nil
}

// retire takes the worker out of what Terraform will be told. One that an interrupted run had
// retired before is out already.
func (c *nodeWork) retire(opts *nodeOptions, name string) error {
	number, ok := roster.Number(c.cluster.Metadata.Name, name)
	if !ok {
		return noSuchWorker(opts, name)
	}
	count := workersIn(c.cluster)
	if slices.Contains(c.roster.Retired, number) {
		if c.roster.Wanted > 0 {
			return c.setWorkers(c.roster.Wanted)
		}
		return nil
	}
	if *count <= 1 {
		return &Error{
			Cause: errors.New("the last worker cannot be removed"), Hint: opts.again("down"), ExitCode: exitUsage,
		}
	}
	c.roster.Retire(number)
	return c.setWorkers(*count - 1)
}

// worker finds a worker by its name. One that was retired may have lost its machine already, and
// still be a node.
func (c *nodeWork) worker(opts *nodeOptions, name string) (fleet.Machine, error) {
	machine, found := c.fleet.Find(name)
	number, _ := roster.Number(c.cluster.Metadata.Name, name)
	switch {
	case !found && slices.Contains(c.roster.Retired, number):
		return fleet.Machine{Name: name, Role: fleet.Worker}, nil
	case !found:
		return machine, noSuchWorker(opts, name)
	case machine.Role == fleet.ControlPlane:
		return machine, &Error{
			Cause: fmt.Errorf("%s is the control plane: it cannot be taken away alone", name),
			Hint:  opts.again("down"), ExitCode: exitUsage,
		}
	}
	return machine, nil
}

// listed tells whether the configuration of target hosts still names a worker.
func listed(c *spec.Cluster, name string) bool {
	for _, w := range c.Spec.Hosts.Workers {
		if w.Name == name {
			return true
		}
	}
	return false
}
