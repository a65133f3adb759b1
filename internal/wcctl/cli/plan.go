package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
)

// planOptions is what `wcctl plan` was told.
type planOptions struct {
	clusterFlags
	bundle   string
	tag      string
	from     string
	only     []string
	parallel int
	output   outputFormat
}

func newPlan(con *console) *cobra.Command {
	var opts planOptions
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Tell what wcctl up would do, and why",
		Long: `Tell what wcctl up would do to the machines and the cluster, and why: phases that were not
done, settings that changed since, files that were changed by hand, units that do not
run, nodes that are missing, changes that Terraform sees.

Nothing is written anywhere. With -o json it is one document:

  {"cluster": NAME, "changes": N,
   "phases": [{"name", "title", "changes": [{"phase", "host", "what", "why"}, ...]}, ...]}

The exit code is 0 when there is nothing to do and 3 when there is.`,
		Example: `  wcctl plan
  wcctl plan --only machines -o json`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runPlan(cmd.Context(), con, &opts) },
	}
	registerPhases(cmd, &opts.from, &opts.only, &opts.parallel)
	cmd.Flags().StringVar(&opts.bundle, "bundle", "", bundleUsage)
	_ = cmd.MarkFlagDirname("bundle") // the flag is there
	cmd.Flags().StringVar(&opts.tag, "tag", "", tagUsage)
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

const tagUsage = "the version of services that are not there yet (default: the commit, as wcctl build names it)"

// registerPhases adds the flags that choose phases.
func registerPhases(cmd *cobra.Command, from *string, only *[]string, parallel *int) {
	cmd.Flags().StringVar(from, "from", "", "leave out the phases before this one")
	cmd.Flags().StringSliceVar(only, "only", nil, "these phases alone; wcctl plan lists them")
	cmd.Flags().IntVar(parallel, "parallel", defaultParallel, "machines worked on at once")
	names := cobra.FixedCompletions(phase.Names(phase.List()), cobra.ShellCompDirectiveNoFileComp)
	_ = cmd.RegisterFlagCompletionFunc("from", names) // the flags are there
	_ = cmd.RegisterFlagCompletionFunc("only", names)
}

// choosePhases reads those flags.
func choosePhases(command, from string, only []string, parallel int) ([]phase.Phase, error) {
	if parallel < 1 {
		return nil, usageErrorf(command, "--parallel %d is less than 1", parallel)
	}
	if only != nil && len(only) == 0 { // e.g. an empty variable: it does not mean all
		return nil, usageErrorf(command, "--only names no phase")
	}
	phases, err := phase.Select(phase.List(), from, only)
	if err != nil {
		return nil, usageError(command, err)
	}
	return phases, nil
}

// planDocument is the JSON form.
type planDocument struct {
	Cluster string          `json:"cluster"`
	Changes int             `json:"changes"`
	Phases  []phase.Planned `json:"phases"`
}

func runPlan(ctx context.Context, con *console, opts *planOptions) error {
	phases, err := choosePhases("wcctl plan", opts.from, opts.only, opts.parallel)
	if err != nil {
		return err
	}
	cluster, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	s, err := openSession(con, cluster, folder, sessionOptions{
		flags: &opts.clusterFlags, bundle: opts.bundle, parallel: opts.parallel, dry: true, log: io.Discard,
		tag: opts.tag,
	})
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, "plan", "", err)
	}
	defer s.Close()
	runner := &phase.Runner{Run: s.run, Phases: phases, Explain: explain}
	plan, err := runner.Plan(ctx)
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, "plan", "", err)
	}
	if opts.output == outputJSON {
		err = writeJSON(con.out, planDocument{cluster.Metadata.Name, plan.Changes(), plan.Phases})
	} else {
		showPlan(con, con.out, plan)
	}
	if err != nil || plan.Changes() == 0 {
		return err
	}
	return &Error{
		Cause: fmt.Errorf("the plan has %s", counted(plan.Changes(), "change")),
		Hint:  opts.again("up"), ExitCode: exitChanges,
	}
}

// showPlan prints the phases that have work, or that none has.
func showPlan(con *console, w io.Writer, plan phase.Plan) {
	style := newTheme(con.colored(w))
	if plan.Changes() == 0 {
		fmt.Fprintln(w, "Nothing to do: everything is as it should be")
		return
	}
	for _, p := range plan.Phases {
		if len(p.Changes) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s  %s\n", style.title(p.Name), p.Title)
		for _, c := range p.Changes {
			fmt.Fprintf(w, "  + %s\n", c)
		}
	}
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
