package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

const watchEvery = 2 * time.Second

type statusOptions struct {
	clusterFlags
	watch  bool
	wait   time.Duration
	probe  bool
	output outputFormat
}

func newStatus(con *console) *cobra.Command {
	var opts statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell how the cluster fares: conditions, nodes, certificates",
		Long: `Tell how the cluster fares, by named conditions with their age and a hint, its nodes, and the
days that its certificates have left. docs/cluster/status.md explains each condition.

A condition is ok, failing, unknown (it cannot be asked), a warning, or not_enforced: a
promise that what runs there cannot keep, e.g. network policies with flannel. drift, which
--watch leaves out, tells of services that are not as they were deployed, with delivery gitops
of Applications that are not as Git says. With -o
json it is one document, with --watch one per line:

  {"cluster": NAME, "ok": BOOL, "at": TIME, "server": ADDRESS,
   "conditions": [{"name", "state", "message", "since", "hint"}, ...],
   "nodes": [{"name", "role", "ready", "reason", "address", "version", ...}, ...],
   "certificates": [{"machine", "name", "not_after", "days_left", ...}, ...]}

The exit code is 0 when none is failing or unknown, else 1.`,
		Example: `  wcctl status
  wcctl status --wait 10m
  wcctl status -o json | jq '.conditions[] | select(.state != "ok")'`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runStatus(cmd.Context(), con, &opts)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&opts.watch, "watch", "w", false, "go on looking until Ctrl-C")
	f.DurationVar(&opts.wait, "wait", 0, "wait that long for all conditions to be fine")
	f.BoolVar(&opts.probe, "probe-policies", false,
		"find out by a pod and a policy whether network policies are enforced")
	cmd.MarkFlagsMutuallyExclusive("watch", "wait")
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

// statusDocument is the JSON form.
type statusDocument struct {
	Cluster string `json:"cluster"`
	OK      bool   `json:"ok"`
	kube.Report
}

func runStatus(ctx context.Context, con *console, opts *statusOptions) error {
	v, err := openView(ctx, con, &opts.clusterFlags)
	if err != nil {
		return err
	}
	defer v.Close()
	if v.kube == nil {
		return noCluster(&opts.clusterFlags, v.folder)
	}
	if v.fleetErr != nil {
		fmt.Fprintf(con.err, "wcctl: the machines are not known: %v\n", v.fleetErr)
	}
	switch {
	case opts.watch:
		return watchStatus(ctx, con, v, opts.output)
	case opts.wait > 0:
		if err := waitForStatus(ctx, con, v, opts); err != nil {
			return err
		}
	}
	report := v.look(ctx, con)
	if c := v.drift(ctx, report); c != nil {
		report.Conditions = append(report.Conditions, *c)
	}
	if opts.probe {
		enforced, err := v.kube.ProbePolicies(ctx)
		if err != nil {
			return &Error{Op: "probing network policies", Cause: err, Hint: opts.again("status")}
		}
		report.Conditions = kube.Probed(report.Conditions, enforced)
	}
	if err := showStatus(con, v, report, opts.output); err != nil {
		return err
	}
	return statusError(ctx, opts, report)
}

// statusError is the outcome; what is wrong has been printed already.
func statusError(ctx context.Context, opts *statusOptions, report kube.Report) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	bad := kube.Worst(report.Conditions)
	if len(bad) == 0 {
		return nil
	}
	hint := opts.again("doctor")
	if bad[0].Hint != "" {
		hint = bad[0].Hint
	}
	return &Error{
		Cause: fmt.Errorf("%s of %d not fine", counted(len(bad), "condition"), len(report.Conditions)),
		Hint:  hint,
	}
}

func showStatus(con *console, v *view, report kube.Report, format outputFormat) error {
	if format == outputJSON {
		return writeJSON(con.out, document(v, report))
	}
	_, err := fmt.Fprint(con.out, statusPage(con, v.spec.Metadata.Name, report))
	return err
}

func document(v *view, report kube.Report) statusDocument {
	return statusDocument{
		Cluster: v.spec.Metadata.Name, OK: len(kube.Worst(report.Conditions)) == 0, Report: report,
	}
}

// waitForStatus tells on standard error what is waited for.
func waitForStatus(ctx context.Context, con *console, v *view, opts *statusOptions) error {
	ctx, cancel := context.WithTimeout(ctx, opts.wait)
	defer cancel()
	_, err := v.kube.Wait(ctx, v.options, "conditions", event.SinkFunc(func(e event.Event) {
		switch e.Kind {
		case event.TaskStarted:
			fmt.Fprintf(con.err, "waiting for %s: %s\n", e.Task, e.Text)
		case event.Note:
			fmt.Fprintf(con.err, "%s\n", joinText(e.Task, e.Text))
		case event.TaskFinished:
			if e.Seconds > 0 {
				took := time.Duration(e.Seconds * float64(time.Second))
				fmt.Fprintf(con.err, "%s: ok after %s\n", e.Task, roundly(took))
			}
		}
	}))
	var notMet *kube.NotMetError
	if errors.As(err, &notMet) && errors.Is(err, context.DeadlineExceeded) {
		return nil // the table and the exit code tell it
	}
	return err
}

func joinText(task, text string) string {
	if task == "" {
		return text
	}
	return task + ": " + text
}

// watchStatus shows every change until the context ends, which is how it ends well.
func watchStatus(ctx context.Context, con *console, v *view, format outputFormat) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	shown := ""
	for {
		report := v.look(ctx, con)
		if ctx.Err() != nil {
			return nil
		}
		if state := stateOf(report); state != shown || con.colored(con.out) {
			shown = state
			if err := showWatched(con, v, report, format); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// stateOf is what must change for a line of output where nobody watches a screen.
func stateOf(report kube.Report) string {
	text := ""
	for _, c := range report.Conditions {
		text += c.Name + string(c.State)
		if c.State != kube.OK {
			text += c.Message
		}
	}
	for _, n := range report.Nodes {
		text += n.Name + n.Reason + n.Version
	}
	return text
}

func showWatched(con *console, v *view, report kube.Report, format outputFormat) error {
	if format == outputJSON {
		return writeLine(con.out, document(v, report))
	}
	const wipe = "\x1b[H\x1b[2J"
	text := statusPage(con, v.spec.Metadata.Name, report)
	if con.colored(con.out) {
		text = wipe + text
	} else {
		text += "\n"
	}
	_, err := fmt.Fprint(con.out, text)
	return err
}
