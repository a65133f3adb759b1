package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// controlPlaneCalm is longer than a new kubelet takes until it starts the control plane anew.
const controlPlaneCalm = 20 * time.Second

// upgradeOptions is what `wcctl upgrade` was told.
type upgradeOptions struct {
	nodeOptions
	to string
}

func newUpgrade(con *console) *cobra.Command {
	var opts upgradeOptions
	cmd := &cobra.Command{
		Use:   "upgrade",
		Short: "Bring the running cluster to another Kubernetes release",
		Long: `Bring the running cluster to the release in wastecoach.yaml, or to --to, which is written there. One
minor release at a time, and never back.

First the cluster is looked at: what does not hold in wcctl status, disruption budgets that would
never let a node be emptied, interfaces in use that the new release does not have. Then a backup
is taken and kept, and programs and images are fetched onto all machines. Only then kubeadm
upgrades the control plane; its API is away for some seconds meanwhile, pods run on. At last the
nodes, one by one: pods leave as their disruption budgets allow, within --timeout; kubelet is
replaced; pods may come again. A pod that no other node could take stays, as those of
DaemonSets do. A node that somebody cordoned stays cordoned.

After Ctrl-C, a failure or a power cut the same command goes on where it was. The plan is shown
first. On a terminal you are asked then; elsewhere --yes is needed. With -o json every event is
a line on standard output. docs/cluster/upgrade.md tells the rest, and the way back.`,
		Example: `  wcctl upgrade --to 1.37.2
  wcctl bundle create --kubernetes-version 1.37.2 && wcctl upgrade --to 1.37.2 --yes`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runUpgrade(cmd.Context(), con, &opts) },
	}
	cmd.Flags().StringVar(&opts.to, "to", "", "`RELEASE` to bring it to (default: the one in the file)")
	if known, err := releases(); err == nil {
		_ = cmd.RegisterFlagCompletionFunc("to", // the flag is there
			cobra.FixedCompletions(known.Supported, cobra.ShellCompDirectiveNoFileComp))
	}
	opts.registerDrain(cmd)
	opts.register(cmd)
	return cmd
}

// command is the command line that goes on.
func (o *upgradeOptions) command() string {
	if o.to == "" {
		return "upgrade"
	}
	return "upgrade --to " + o.to
}

func runUpgrade(ctx context.Context, con *console, opts *upgradeOptions) error {
	if err := opts.check("wcctl upgrade"); err != nil {
		return err
	}
	opts.to = strings.TrimPrefix(opts.to, "v")
	known, err := releases()
	if err != nil {
		return err
	}
	if opts.to != "" && !slices.Contains(known.Supported, opts.to) {
		return usageErrorf("wcctl upgrade", "Kubernetes %s is not a release that this wcctl knows: %s", opts.to,
			strings.Join(known.Supported, ", "))
	}
	if !opts.yes && !con.interactive() {
		return &Error{
			Cause: errors.New("nobody can be asked here whether to go on"),
			Hint:  opts.again(opts.command() + " --yes"), ExitCode: exitUsage,
		}
	}
	u, err := beginUpgrade(con, opts)
	if err != nil {
		return err
	}
	h, ctx, err := hold(ctx, con, u.settle.folder, "upgrade")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, opts.command(), "", err)
	}
	err = errors.Join(u.do(ctx, con, h), h.release())
	return clusterError(ctx, &opts.clusterFlags, opts.command(), h.log.Path(), err)
}

// upgrading is an upgrade that somebody asked for.
type upgrading struct {
	opts    *upgradeOptions
	cluster *spec.Cluster
	settle  *writeRelease
}

// beginUpgrade reads the file, and sees that the release can be written into it.
func beginUpgrade(con *console, opts *upgradeOptions) (*upgrading, error) {
	cluster, folder, err := opts.open(con)
	if err != nil {
		return nil, err
	}
	if !folder.Exists() {
		return nil, noCluster(&opts.clusterFlags, folder)
	}
	settle := &writeRelease{file: opts.file.path(con), folder: folder, written: cluster.Spec.Kubernetes.Version}
	if opts.to != "" {
		cluster.Spec.Kubernetes.Version = opts.to
	}
	settle.release = cluster.Spec.Kubernetes.Version
	if settle.written != settle.release {
		if _, err := settle.setting().edited(settle.file); err != nil {
			return nil, settle.refused(err)
		}
	}
	return &upgrading{opts: opts, cluster: cluster, settle: settle}, nil
}

// do is the upgrade with the lock held.
func (u *upgrading) do(ctx context.Context, con *console, h *held) error {
	dir, err := upgradeBundle(con, u.cluster, u.settle.folder, u.opts)
	if err != nil {
		return err
	}
	s, err := openSession(con, u.cluster, u.settle.folder, sessionOptions{
		flags: &u.opts.clusterFlags, bundle: dir, parallel: u.opts.parallel, installs: true, id: h.id, log: h.log,
	})
	if err != nil {
		return err
	}
	defer s.Close()
	u.settle.bundle = s.bundle
	upgrade := &phase.Upgrade{
		Calm:  controlPlaneCalm,
		Force: u.opts.force, Timeout: u.opts.timeout, Settle: u.settle,
		Live: func(r *phase.Run) (phase.Live, error) { return clusterOf(r) },
		Save: func(ctx context.Context, shell phase.Shell, machine string) (string, error) {
			return u.save(ctx, con, s, shell, machine)
		},
	}
	runner := &phase.Runner{
		Run: s.run, Phases: upgrade.Phases(), Journal: h.journal, Log: h.log.Path(), Explain: explain,
	}
	s.sink.to = event.Tee(h.log)
	changes, err := u.propose(ctx, con, runner)
	if err != nil || changes == 0 {
		return err
	}
	result, err := watch(ctx, con, u.opts.output, s, h, runner, u.opts.command())
	if err != nil || u.opts.output == outputJSON {
		return err
	}
	fmt.Fprintf(con.out, "%s has Kubernetes %s: %s\n", u.cluster.Metadata.Name, u.settle.release,
		roundly(result.Took))
	return nil
}

// propose shows what will be done, and asks. The phases of up that follow are no surprise and are left
// out, unless they are all that an earlier run left.
func (u *upgrading) propose(ctx context.Context, con *console, runner *phase.Runner) (changes int, err error) {
	plan, err := runner.Plan(ctx)
	if err != nil {
		return 0, err
	}
	if plan.Changes() == 0 {
		runner.Phases = phase.Rest()
		if plan, err = runner.Plan(ctx); err != nil {
			return 0, err
		}
	} else {
		runner.Phases = append(runner.Phases, phase.Rest()...)
	}
	if plan.Changes() == 0 {
		if u.opts.output == outputText {
			fmt.Fprintf(con.out, "%s has Kubernetes %s already\n", u.cluster.Metadata.Name, u.settle.release)
		}
		return 0, nil
	}
	if u.opts.output == outputText || !u.opts.yes {
		showPlan(con, con.err, plan)
		fmt.Fprintln(con.err)
	}
	if u.opts.yes {
		return plan.Changes(), nil
	}
	return plan.Changes(), confirm(con, "Go on?", u.opts.again(u.opts.command()+" --yes"))
}

// save takes the backup that is the way back.
func (u *upgrading) save(
	ctx context.Context, con *console, s *session, shell phase.Shell, machine string,
) (string, error) {
	login, ok := shell.(backup.Shell)
	if !ok {
		return "", fmt.Errorf("the login to %s cannot stream", machine)
	}
	at := time.Now()
	path, err := backupsOf(s.folder).PathFor(at)
	if err != nil {
		return "", err
	}
	taken, err := backup.Create(ctx, login, backup.Options{
		Cluster: u.cluster.Metadata.Name, Machine: machine, Release: u.settle.written, Path: path, At: at,
	})
	if err != nil {
		return "", err
	}
	if k, err := clusterOf(s.run); err == nil {
		tellCluster(ctx, con, k, taken)
	}
	return taken.File, nil
}
