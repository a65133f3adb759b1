package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

type rollbackOptions struct {
	clusterFlags
	wantedRelease
	to     int
	output outputFormat
}

func newRollback(con *console) *cobra.Command {
	var opts rollbackOptions
	cmd := &cobra.Command{
		Use:   "rollback SERVICE",
		Short: "Bring a service back to an earlier version",
		Long: `Bring a service back to an earlier revision of wcctl history: the last complete one with another
image, unless --to names it. It is a deployment like any other: with blue-green the old version
comes up beside the new one first. With delivery gitops it is a commit that names the earlier image.

The database's schema stays as it is: migrations keep what the release before needs.`,
		Example: `  wcctl rollback waste
  wcctl rollback waste --to 7`,
		GroupID:   groupCluster,
		Args:      cobra.ExactArgs(1),
		ValidArgs: deploy.Services(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRollback(cmd.Context(), con, &opts, args)
		},
	}
	f := cmd.Flags()
	f.IntVar(&opts.to, "to", 0, "the `REVISION` (default: the last one with another image)")
	f.DurationVar(&opts.timeout, "timeout", deployTimeout, "bounds each wait for pods")
	f.DurationVar(&opts.drain, "drain", deployDrain, "what the old color gets for its last requests")
	f.StringVar(&opts.charts, "charts", "", "take the chart from this `DIR` (default: those in this wcctl)")
	_ = cmd.MarkFlagDirname("charts") // the flag is there
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

// register keeps the two sets of flags apart: a rollback names its version by a revision.
func (o *rollbackOptions) register(cmd *cobra.Command) { o.clusterFlags.register(cmd) }

func runRollback(ctx context.Context, con *console, opts *rollbackOptions, args []string) error {
	services, err := chosenServices("wcctl rollback", args, false)
	if err != nil {
		return err
	}
	service, command := services[0], "rollback "+services[0]
	_, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	if !folder.Exists() {
		return noCluster(&opts.clusterFlags, folder)
	}
	h, ctx, err := hold(ctx, con, folder, "rollback")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, command, "", err)
	}
	err = opts.rollBack(ctx, con, h, service)
	if errors.Is(err, deploy.ErrNothingBefore) || errors.Is(err, helm.ErrNoRelease) {
		err = &Error{Op: "rolling " + service + " back", Cause: err, Hint: opts.again("history " + service)}
	}
	return deployError(ctx, &opts.clusterFlags, command, h.log.Path(), errors.Join(err, h.release()))
}

func (o *rollbackOptions) rollBack(ctx context.Context, con *console, h *held, service string) error {
	v, d, err := openDeployer(ctx, con, &o.clusterFlags, &o.wantedRelease, h.log)
	if err != nil {
		return err
	}
	defer v.Close()
	d.Evidence = h.evidence
	return observe(ctx, con, observed{
		format: o.output, held: h, deployer: d,
		title: "wcctl rollback " + service, phases: [][2]string{{service, "Roll " + service + " back"}},
		do: func(ctx context.Context) ([]deploy.Outcome, error) {
			outcome, err := d.Rollback(ctx, service, o.to)
			if err != nil {
				return nil, err
			}
			return []deploy.Outcome{outcome}, nil
		},
	})
}
