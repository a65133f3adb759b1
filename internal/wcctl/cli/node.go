package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// newNode holds the commands on single nodes.
func newNode(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node",
		Short: "List, add, remove and replace workers",
		Long: `List, add, remove and replace workers. docs/cluster/nodes.md tells what each step does and how an
interrupted one goes on.`,
		GroupID: groupCluster,
	}
	cmd.AddCommand(newNodeList(con), newNodeAdd(con), newNodeRemove(con), newNodeReplace(con))
	return cmd
}

const defaultDrainTimeout = 5 * time.Minute

// nodeOptions is what the commands that change nodes were told.
type nodeOptions struct {
	clusterFlags
	bundle   string
	yes      bool
	force    bool
	parallel int
	timeout  time.Duration
	output   outputFormat
}

// register adds the flags that all of them have.
func (o *nodeOptions) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	f.StringVar(&o.bundle, "bundle", "", bundleUsage)
	_ = cmd.MarkFlagDirname("bundle") // the flag is there
	f.IntVar(&o.parallel, "parallel", defaultParallel, "machines worked on at once")
	o.output.register(cmd)
	o.clusterFlags.register(cmd)
}

// registerDrain adds the flags of those that empty a node.
func (o *nodeOptions) registerDrain(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.timeout, "timeout", defaultDrainTimeout, "how long pods may take to leave")
	cmd.Flags().BoolVar(&o.force, "force", false,
		"delete also pods that nothing brings back, and after --timeout those that are protected")
}

func (o *nodeOptions) check(command string) error {
	if o.parallel < 1 {
		return usageErrorf(command, "--parallel %d is less than 1", o.parallel)
	}
	if o.timeout < 0 {
		return usageErrorf(command, "--timeout %s is less than 0", o.timeout)
	}
	return nil
}

// workersOf is "1 worker" or "3 workers".
func workersOf(n int) string { return counted(n, "worker") }

func noSuchWorker(o *nodeOptions, name string) error {
	return &Error{
		Cause: fmt.Errorf("there is no worker %q", name), Hint: o.again("node list"), ExitCode: exitUsage,
	}
}
