package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
	"github.com/wastecoach/wastecoach/internal/wcctl/top"
)

type topOptions struct {
	systemFlags
	once     bool
	readOnly bool
	view     string
	svg      string
	output   outputFormat
}

func newTop(con *console) *cobra.Command {
	var opts topOptions
	cmd := &cobra.Command{
		Use:     "top",
		GroupID: groupOperate,
		Short:   "Watch jobs, queues, workers, services and the cluster",
		Long: `Watch jobs, queues, workers, services and the cluster, and act on them. It looks at the running
wcctl dev, or with --kubeconfig at a cluster, through nothing but its API server. ? in it lists
the keys; docs/top.md tells more.

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
			if err := top.ValidView(opts.view); err != nil {
				return usageError(cmd.CommandPath(), err)
			}
			return runTop(cmd.Context(), con, &opts)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.once, "once", false, "print the picture once")
	f.BoolVar(&opts.readOnly, "read-only", false, "offer no actions")
	f.StringVar(&opts.view, "view", "", "the view to begin with, e.g. jobs")
	f.StringVar(&opts.svg, "svg", "", "write the screen as a picture to this file, and end")
	cmd.MarkFlagsMutuallyExclusive("once", "svg")
	_ = cmd.RegisterFlagCompletionFunc("view", // the flag is there
		cobra.FixedCompletions(top.Views(), cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.MarkFlagFilename("svg", "svg") // as above
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
	switch {
	case opts.svg != "":
		return writeScreenshot(ctx, opts, system)
	case opts.once || opts.output == outputJSON || !con.watched():
		return printPicture(ctx, con, opts, system)
	}
	return top.Run(ctx, top.Options{
		Source: system, View: opts.view, ReadOnly: opts.readOnly, NoColor: con.noColor, In: con.in, Out: con.out,
	})
}

// watched tells whether somebody sees what is drawn on standard output, and can press keys.
func (c *console) watched() bool {
	return isTerminal(c.in) && isTerminal(c.out) && c.getenv("TERM") != "dumb"
}

// The size of a picture of the screen, in cells.
const screenshotWidth, screenshotHeight = 124, 34

func writeScreenshot(ctx context.Context, opts *topOptions, system *monitor.System) error {
	svg, err := top.Screenshot(ctx, system, opts.view, screenshotWidth, screenshotHeight)
	if err != nil {
		return systemError(err)
	}
	if err := os.WriteFile(opts.svg, svg, 0o644); err != nil { //nolint:gosec // a picture to be shared
		return fmt.Errorf("writing the picture: %w", err)
	}
	return nil
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
