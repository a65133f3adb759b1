package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

type topOptions struct {
	systemFlags
	once     bool
	readOnly bool
	output   outputFormat
}

func newTop(con *console) *cobra.Command {
	var opts topOptions
	cmd := &cobra.Command{
		Use:     "top",
		GroupID: groupOperate,
		Short:   "Watch jobs, queues, workers, services and the cluster",
		Long: `Watch jobs, queues, workers, services and the cluster, and act on them. It looks at the running
wcctl dev, or with --kubeconfig at a cluster, through nothing but its API server.

With --once, or where no terminal watches, it prints the picture once; with -o json as one
document: {"at", "source", "jobs", "queues", "workers", "services", "cluster", "events",
"faults"}. Durations are in nanoseconds, shares from 0 to 1. A part that could not be read is
named in faults. docs/operate.md explains each column.

The exit code of --once is 0 when all parts could be read, else 1.`,
		Example: `  wcctl top
  wcctl top --once
  wcctl top -o json | jq '.queues[] | {name, pending}'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runTop(cmd.Context(), con, &opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.once, "once", false, "print the picture once")
	f.BoolVar(&opts.readOnly, "read-only", false, "offer no actions")
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func runTop(ctx context.Context, con *console, opts *topOptions) error {
	system, err := opts.open(ctx, con)
	if err != nil {
		return err
	}
	defer system.Close()
	return printPicture(ctx, con, opts, system)
}

// pictureJobs is how many jobs a printed picture has.
const pictureJobs = 20

func printPicture(ctx context.Context, con *console, opts *topOptions, system *monitor.System) error {
	picture, err := system.Picture(ctx, monitor.JobQuery{Limit: pictureJobs})
	if err != nil {
		return systemError(err)
	}
	if opts.output == outputJSON {
		err = writeJSON(con.out, picture)
	} else {
		err = writePicture(con.out, picture)
	}
	if err != nil {
		return err
	}
	return pictureError(picture)
}
