package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

func newQueue(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "queue",
		GroupID: groupOperate,
		Short:   "Look at the queues, pause and resume them",
	}
	cmd.AddCommand(newQueueLs(con),
		newQueueAct(con, monitor.Pause, "Let no worker take from queues; what runs goes on"),
		newQueueAct(con, monitor.Resume, "Let workers take from queues again"))
	return cmd
}

type queueOptions struct {
	systemFlags
	output outputFormat
}

func newQueueLs(con *console) *cobra.Command {
	var opts queueOptions
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "Count the tasks of each queue, with their waits and runs",
		Long: `Count the tasks of each queue. OLDEST is how long the first one has waited. WAIT and RUN are
the median and the 95th percentile of the last two minutes, as the workers measured.
An orphan is a task in the hands of a worker that is gone: wcctl job repair sends it again.

With -o json: {"queues": [{"name", "paused", "pending", "active", ...}, ...]}, durations in
nanoseconds.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runQueueLs(cmd.Context(), con, &opts)
		},
	}
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func runQueueLs(ctx context.Context, con *console, opts *queueOptions) error {
	system, err := opts.open(ctx, con)
	if err != nil {
		return err
	}
	defer system.Close()
	queues, err := system.Queues(ctx)
	if err != nil {
		return systemError(err)
	}
	if opts.output == outputJSON {
		return writeJSON(con.out, map[string]any{"queues": queues})
	}
	return writeTable(con.out, queueRows(queues))
}

func newQueueAct(con *console, verb monitor.Verb, short string) *cobra.Command {
	var opts queueOptions
	cmd := &cobra.Command{
		Use:     string(verb) + " QUEUE...",
		Short:   short,
		Example: "  wcctl queue " + string(verb) + " waste",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, names []string) error {
			return runQueueAct(cmd.Context(), con, &opts, verb, names)
		},
	}
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func runQueueAct(
	ctx context.Context, con *console, opts *queueOptions, verb monitor.Verb, names []string,
) error {
	system, err := opts.open(ctx, con)
	if err != nil {
		return err
	}
	defer system.Close()
	var all []monitor.Outcome
	for _, name := range names {
		outcomes, err := system.Act(ctx, monitor.Action{Verb: verb, Queue: name})
		if err != nil {
			return systemError(err)
		}
		all = append(all, outcomes...)
	}
	return showOutcomes(con, opts.output, verb, all)
}

// done is the word for what was done.
var done = map[monitor.Verb]string{
	monitor.Retry: "retried", monitor.Cancel: "canceled", monitor.Archive: "archived",
	monitor.Delete: "deleted", monitor.RunNow: "runs now", monitor.Repair: "repaired",
	monitor.Pause: "paused", monitor.Resume: "resumed",
}

// unchanged is why nothing had to be done.
var unchanged = map[monitor.Verb]string{
	monitor.Retry: "under way already", monitor.Cancel: "canceled already",
	monitor.Archive: "archived already", monitor.RunNow: "its task does not wait for a time",
	monitor.Repair: "in order: a worker has it, or its task is in the queue",
	monitor.Pause:  "paused already", monitor.Resume: "was not paused",
}

// showOutcomes prints a line for each; it fails when one was not done.
func showOutcomes(con *console, format outputFormat, verb monitor.Verb, outcomes []monitor.Outcome) error {
	failed := 0
	for _, o := range outcomes {
		if o.Error != "" {
			failed++
		}
	}
	if format == outputJSON {
		if err := writeJSON(con.out, map[string]any{"outcomes": outcomes}); err != nil {
			return err
		}
	} else {
		for _, o := range outcomes {
			switch {
			case o.Error != "":
				fmt.Fprintf(con.err, "%s  not done: %s\n", o.Subject, o.Error)
			case o.Changed:
				fmt.Fprintf(con.out, "%s  %s\n", o.Subject, done[verb])
			default:
				fmt.Fprintf(con.out, "%s  unchanged: %s\n", o.Subject, unchanged[verb])
			}
		}
	}
	if failed > 0 {
		return &Error{Cause: fmt.Errorf("%d of %d not done", failed, len(outcomes))}
	}
	return nil
}
