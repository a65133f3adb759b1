package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/cost"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// upOptions is what `wcctl up` was told.
type upOptions struct {
	clusterFlags
	bundle   string
	target   string
	tag      string
	yes      bool
	from     string
	only     []string
	redo     bool
	parallel int
	timeout  time.Duration
	output   outputFormat
}

func newUp(con *console) *cobra.Command {
	var opts upOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the cluster, or bring it to what wastecoach.yaml says",
		Long: `Make the machines and the cluster that wastecoach.yaml describes, or change them to what it says
now. The phases are those of wcctl plan; docs/cluster/phases.md explains each.

Without a file, --target writes the one of wcctl init first: the shortest way to a cluster.

It can be run again at any time: what is done is left alone. After Ctrl-C, a failure or a
power cut the same command goes on where it was. One command at a time works on a
cluster; another one is told who holds the lock.

Where the file names a domain, everything that wcctl deploy --all brings is deployed then, and a
photo analyzed. Services that are there keep their version: wcctl deploy changes it.

The plan and the month's costs are shown first. On a terminal you are asked then; elsewhere
--yes is needed. With -o json every event is a line on standard output. The full record
of each run is in the state folder's logs.`,
		Example: `  wcctl up
  wcctl up --target local
  wcctl up --yes --bundle bundle
  wcctl up --only host,containerd -o json --yes`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runUp(cmd.Context(), con, &opts) },
	}
	f := cmd.Flags()
	f.BoolVarP(&opts.yes, "yes", "y", false, "do not ask")
	registerTarget(cmd, &opts.target, "write a file for this target where there is none: ")
	f.StringVar(&opts.bundle, "bundle", "", bundleUsage)
	_ = cmd.MarkFlagDirname("bundle") // the flag is there
	registerPhases(cmd, &opts.from, &opts.only, &opts.parallel)
	f.StringVar(&opts.tag, "tag", "", tagUsage)
	f.BoolVar(&opts.redo, "again", false, "do the chosen phases where they are done, too")
	f.DurationVar(&opts.timeout, "timeout", 0, "give up after this time, 0s never")
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func runUp(ctx context.Context, con *console, opts *upOptions) error {
	phases, err := choosePhases("wcctl up", opts.from, opts.only, opts.parallel)
	if err != nil {
		return err
	}
	if err := checkTarget("wcctl up", opts.target); opts.target != "" && err != nil {
		return err
	}
	if opts.redo && opts.from == "" && len(opts.only) == 0 {
		return usageErrorf("wcctl up", "--again needs --only or --from")
	}
	if !opts.yes && !con.interactive() {
		return &Error{
			Cause: errors.New("nobody can be asked here whether to go on"),
			Hint:  opts.withYes() + "\n" + opts.again("plan"), ExitCode: exitUsage,
		}
	}
	if err := opts.begin(con); err != nil {
		return err
	}
	cluster, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	if opts.target != "" && string(cluster.Spec.Target) != opts.target {
		return usageErrorf("wcctl up", "--target is %s, but %s has the target %s",
			opts.target, opts.file.path(con), cluster.Spec.Target)
	}
	if opts.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, opts.timeout,
			fmt.Errorf("not done within %s", opts.timeout))
		defer cancel()
	}
	h, ctx, err := hold(ctx, con, folder, "up")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, "up", "", err)
	}
	err = up(ctx, con, opts, cluster, h, phases)
	return clusterError(ctx, &opts.clusterFlags, "up", h.log.Path(), errors.Join(err, h.release()))
}

// begin writes the file that --target asks for; one that is there stays.
func (o *upOptions) begin(con *console) error {
	path := o.file.path(con)
	if o.target == "" || path == "-" {
		return nil
	}
	content, err := starter(o.target, defaultName)
	if err == nil {
		err = writeStarter(path, content, false)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return &Error{Op: "writing " + path, Cause: err}
	}
	fmt.Fprintf(con.err, "Wrote %s\n", path)
	return nil
}

// up plans, asks and does, with the lock held.
func up(
	ctx context.Context, con *console, opts *upOptions, cluster *spec.Cluster, h *held,
	phases []phase.Phase,
) error {
	s, err := openSession(con, cluster, h.folder, sessionOptions{
		flags: &opts.clusterFlags, bundle: opts.bundle, parallel: opts.parallel, installs: true,
		id: h.id, log: h.log, tag: opts.tag, evidence: h.evidence,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	s.run.Again = opts.redo
	runner := &phase.Runner{
		Run: s.run, Phases: phases, Journal: h.journal, Log: h.log.Path(), Explain: explain,
	}
	s.sink.to = event.Tee(h.log)
	plan, err := runner.Plan(ctx)
	if err != nil {
		return err
	}
	// What nobody is asked for a program need not read; what costs money is asked in every format.
	if opts.output == outputText || !opts.yes {
		if err := propose(con, opts, cluster, h.folder, plan); err != nil {
			return err
		}
	}
	if err := errors.Join(h.folder.GiveTo(owner(cluster)), rememberBundle(h.folder, s.bundle)); err != nil {
		return err
	}
	return perform(ctx, con, opts, s, h, runner)
}

// propose shows what will be done and what it costs, and asks.
func propose(
	con *console, opts *upOptions, cluster *spec.Cluster, folder workspace.Folder, plan phase.Plan,
) error {
	if plan.Changes() == 0 {
		return nil
	}
	tellUnfinished(con, folder)
	showPlan(con, con.err, plan)
	if cluster.Spec.Target == spec.AWS && buys(plan) {
		estimate, err := cost.Of(cluster)
		if err != nil {
			return err
		}
		fmt.Fprintln(con.err)
		if err := showCost(con, con.err, estimate); err != nil {
			return err
		}
	}
	fmt.Fprintln(con.err)
	if opts.yes {
		return nil
	}
	return confirm(con, "Go on?", opts.withYes())
}

// withYes is the same command for where nobody can be asked.
func (o *upOptions) withYes() string {
	if o.target != "" {
		return o.again("up --target " + o.target + " --yes")
	}
	return o.again("up --yes")
}

// buys tells whether the plan makes machines.
func buys(plan phase.Plan) bool {
	first := plan.Phases[0]
	return first.Name == phase.List()[0].Name() && len(first.Changes) > 0
}

// tellUnfinished says that this run takes an earlier one up.
func tellUnfinished(con *console, folder workspace.Folder) {
	entries, err := folder.Entries()
	if err != nil {
		return // the journal is a comfort here
	}
	left := workspace.Unfinished(entries)
	if len(left) == 0 {
		return
	}
	e := left[len(left)-1]
	where := e.Phase
	if e.Host != "" {
		where += " on " + e.Host
	}
	fmt.Fprintf(con.err, "Going on: the last run ended in %s, %s ago\n\n", where,
		time.Since(e.At).Round(time.Second))
}

// perform does the phases and tells how it went.
func perform(
	ctx context.Context, con *console, opts *upOptions, s *session, h *held, runner *phase.Runner,
) error {
	result, err := watch(ctx, con, opts.output, s, h, runner, "up")
	if err != nil || opts.output == outputJSON {
		return err
	}
	showResult(con, s, result)
	return nil
}

func showResult(con *console, s *session, result phase.Result) {
	took := roundly(result.Took)
	if result.Changed == 0 {
		fmt.Fprintf(con.out, "%s was as it should be: 0 changes, %s\n", s.cluster.Metadata.Name, took)
		return
	}
	fmt.Fprintf(con.out, "%s is ready: %s had work, %s\n", s.cluster.Metadata.Name,
		counted(result.Changed, "phase"), took)
	fmt.Fprintf(con.out, "  export KUBECONFIG=%s\n", s.folder.Kubeconfig())
	if s.cluster.Spec.Domain != "" {
		fmt.Fprintf(con.out, "  wcctl analyze PHOTO --cluster %s\n", quote(s.flags.file.path(con)))
	}
}
