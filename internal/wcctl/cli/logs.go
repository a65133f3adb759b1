package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
)

const newPodsPoll = 2 * time.Second

type logsOptions struct {
	clusterFlags
	worker, follow, previous bool
	since                    time.Duration
	output                   outputFormat
}

func newLogs(con *console) *cobra.Command {
	var opts logsOptions
	cmd := &cobra.Command{
		Use:   "logs SERVICE",
		Short: "Print what all pods of a service log",
		Long: `Print what all pods of a service log, each line after its pod's name, sorted by time. With
--follow they come as they are written, of new pods too, until Ctrl-C. With -o json each line is
an object {"pod", "time", "line"}.`,
		Example: `  wcctl logs waste --since 10m
  wcctl logs waste --worker --follow
  wcctl logs auth --previous                 # of containers that were restarted`,
		GroupID:   groupCluster,
		Args:      cobra.ExactArgs(1),
		ValidArgs: deploy.Services(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runLogs(cmd.Context(), con, &opts, args)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&opts.worker, "worker", false, "of the worker pool instead of the API")
	f.BoolVar(&opts.follow, "follow", false, "go on until Ctrl-C")
	f.DurationVar(&opts.since, "since", 0, "only what is newer than this, e.g. 10m")
	f.BoolVar(&opts.previous, "previous", false, "of the containers that ended before those that run")
	cmd.MarkFlagsMutuallyExclusive("follow", "previous")
	opts.output.register(cmd)
	opts.clusterFlags.register(cmd)
	return cmd
}

func runLogs(ctx context.Context, con *console, opts *logsOptions, args []string) error {
	services, err := chosenServices("wcctl logs", args, false)
	if err != nil {
		return err
	}
	v, d, err := openDeployer(ctx, con, &opts.clusterFlags, &wantedRelease{}, io.Discard)
	if err != nil {
		return err
	}
	defer v.Close()
	err = deploy.Logs(ctx, d.Kube, deploy.LogOptions{
		Service: services[0], Worker: opts.worker, Follow: opts.follow, Since: opts.since,
		Previous: opts.previous, Poll: newPodsPoll,
	}, func(line deploy.Line) { printLogLine(con, opts.output, line) })
	if errors.Is(err, deploy.ErrNoPods) {
		return &Error{Cause: err, Hint: opts.again("deploy " + services[0])}
	}
	return clusterError(ctx, &opts.clusterFlags, "logs "+services[0], "", err)
}

func printLogLine(con *console, format outputFormat, line deploy.Line) {
	if format == outputJSON {
		_ = writeLine(con.out, struct { // a reader that went away cannot be told
			Pod  string    `json:"pod"`
			Time time.Time `json:"time"`
			Line string    `json:"line"`
		}{line.Pod, line.At, line.Text})
		return
	}
	name := line.Pod
	if con.colored(con.out) {
		name = podColor(name)
	}
	fmt.Fprintf(con.out, "%s  %s\n", name, line.Text)
}

// podColor paints a pod's name always alike, in one of the six colors that every terminal has.
func podColor(name string) string {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // it takes everything
	const first, count = 31, 6
	return "\x1b[" + strconv.Itoa(first+int(sum.Sum32()%count)) + "m" + name + "\x1b[0m"
}
