package cli

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// downOptions is what `wcctl down` was told.
type downOptions struct {
	clusterFlags
	yes, purge bool
	force      bool
	parallel   int
	output     outputFormat
}

func newDown(con *console) *cobra.Command {
	var opts downOptions
	cmd := &cobra.Command{
		Use:   "down",
		Short: "Delete the cluster, and look for what is left",
		Long: `Delete the cluster with all its data.

Machines that wcctl made are deleted by Terraform. Machines that you have are taken out of
the cluster and cleaned of what wcctl installed; they stay. Then wcctl looks for what is
left, lists it and ends with 1 if there is anything.

The state folder stays with its logs and its SSH key, unless --purge is given.`,
		Example: `  wcctl down
  wcctl down --yes --purge`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runDown(cmd.Context(), con, &opts) },
	}
	f := cmd.Flags()
	f.BoolVarP(&opts.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&opts.purge, "purge", false, "remove the state folder too, when nothing is left")
	f.BoolVar(&opts.force, "force", false, "go on where a machine that you have does not answer")
	f.IntVar(&opts.parallel, "parallel", defaultParallel, "machines worked on at once")
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func runDown(ctx context.Context, con *console, opts *downOptions) error {
	if opts.parallel < 1 {
		return usageErrorf("wcctl down", "--parallel %d is less than 1", opts.parallel)
	}
	if !opts.yes && !con.interactive() {
		return &Error{
			Cause: errors.New("nobody can be asked here whether to delete the cluster"),
			Hint:  opts.again("down --yes"), ExitCode: exitUsage,
		}
	}
	cluster, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	if !folder.Exists() {
		fmt.Fprintf(con.out, "There is no cluster: %s does not exist\n", folder)
		return nil
	}
	h, ctx, err := hold(ctx, con, folder, "down")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, "down", "", err)
	}
	err = errors.Join(down(ctx, con, opts, cluster, h), h.release())
	if err == nil && opts.purge {
		err = folder.Remove()
	}
	return clusterError(ctx, &opts.clusterFlags, "down", h.log.Path(), err)
}

// down shows what goes, asks and deletes, with the lock held.
func down(
	ctx context.Context, con *console, opts *downOptions, cluster *spec.Cluster, h *held,
) error {
	s, err := openSession(con, cluster, h.folder, sessionOptions{
		flags: &opts.clusterFlags, bundle: noBundle, parallel: opts.parallel, id: h.id, log: h.log,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	if s.run.Leftovers, err = leftovers(s); err != nil {
		return err
	}
	s.run.Force = opts.force
	runner := &phase.Runner{
		Run: s.run, Phases: phase.Down(cluster.Spec.Target), Journal: h.journal, Log: h.log.Path(),
		Explain: explain,
	}
	s.sink.to = event.Tee(h.log)
	plan, err := runner.Plan(ctx)
	if err != nil {
		return err
	}
	if opts.output == outputText || !opts.yes {
		showPlan(con, con.err, plan)
		fmt.Fprintln(con.err)
	}
	if !opts.yes {
		question := "Delete the cluster " + cluster.Metadata.Name + " with all its data?"
		if err := confirm(con, question, opts.again("down --yes")); err != nil {
			return err
		}
	}
	result, err := watch(ctx, con, opts.output, s, h, runner, "down")
	if err != nil {
		return err
	}
	if err := os.Remove(h.folder.Kubeconfig()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing the kubeconfig: %w", err)
	}
	if err := errors.Join(roster.Remove(h.folder), h.folder.GiveBack()); err != nil {
		return err
	}
	if opts.output == outputText {
		fmt.Fprintf(con.out, "%s is gone, nothing is left: %s\n", cluster.Metadata.Name, roundly(result.Took))
	}
	return nil
}
