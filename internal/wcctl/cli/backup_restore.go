package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/preflight"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

type backupRestoreOptions struct {
	clusterFlags
	bundle   string
	yes      bool
	force    bool
	parallel int
	output   outputFormat
}

func newBackupRestore(con *console) *cobra.Command {
	var opts backupRestoreOptions
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Bring the control plane back from a backup",
		Long: `Bring the control plane back from a backup, on a machine that is made anew or over what is left
of a broken one. FILE is a path, or a name from wcctl backup list.

The phases are those of wcctl up, with one more: before the control plane starts, the backup's
files and etcd's data are put in place. What was there is moved aside on the machine, never
deleted. Workers come back by themselves, and the pods on them run on. What changed in the
cluster after the backup is lost; pods that were started since are stopped.

A damaged file is refused, and so are another cluster's or another release's and, without --force,
a control plane that is well. An interrupted restore goes on by the same command. The plan is shown
first. On a terminal you are asked then; elsewhere --yes is needed. With -o json every
event is a line on standard output.`,
		Example: `  wcctl backup restore 20261126T030000Z-etcd.tar.gz
  wcctl backup restore /mnt/safe/demo.tar.gz --yes`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBackupRestore(cmd.Context(), con, &opts, args[0])
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&opts.yes, "yes", "y", false, "do not ask")
	f.BoolVar(&opts.force, "force", false, "restore over a control plane that is well, or beside workers of another")
	f.StringVar(&opts.bundle, "bundle", "", bundleUsage)
	_ = cmd.MarkFlagDirname("bundle") // the flag is there
	f.IntVar(&opts.parallel, "parallel", defaultParallel, "machines worked on at once")
	opts.output.register(cmd)
	opts.clusterFlags.register(cmd)
	return cmd
}

func runBackupRestore(ctx context.Context, con *console, opts *backupRestoreOptions, name string) error {
	if opts.parallel < 1 {
		return usageErrorf("wcctl backup restore", "--parallel %d is less than 1", opts.parallel)
	}
	command := "backup restore " + quote(name)
	if !opts.yes && !con.interactive() {
		return &Error{
			Cause: errors.New("nobody can be asked here whether to go on"),
			Hint:  opts.again(command + " --yes"), ExitCode: exitUsage,
		}
	}
	cluster, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	b, err := verified(&opts.clusterFlags, folder, name)
	if err != nil {
		return err
	}
	if why := phase.Mismatch(cluster, b); why != "" {
		return &Error{Cause: fmt.Errorf("%s cannot be restored: %s", b.File, why), Hint: opts.again("backup list")}
	}
	h, ctx, err := hold(ctx, con, folder, "restore")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, command, "", err)
	}
	r := restoring{opts: opts, command: command, backup: b, cluster: cluster, held: h}
	err = errors.Join(r.do(ctx, con), h.release())
	return clusterError(ctx, &opts.clusterFlags, command, h.log.Path(), err)
}

// restoring is a restore with the lock held.
type restoring struct {
	opts    *backupRestoreOptions
	command string
	backup  backup.Backup
	cluster *spec.Cluster
	held    *held
	session *session
	attempt *backup.Attempt
}

func (r *restoring) do(ctx context.Context, con *console) error {
	var err error
	r.session, err = openSession(con, r.cluster, r.held.folder, sessionOptions{
		flags: &r.opts.clusterFlags, bundle: r.opts.bundle, parallel: r.opts.parallel, installs: true,
		id: r.held.id, log: r.held.log, authority: preflight.AuthorityHash([]byte(r.backup.CA)),
	})
	if err != nil {
		return err
	}
	defer r.session.Close()
	r.session.run.Restores = true
	if err := r.begin(ctx, con); err != nil {
		return err
	}
	runner := &phase.Runner{
		Run: r.session.run, Phases: phase.Restore(r.backup, r.attempt.ID, r.opts.force),
		Journal: r.held.journal, Log: r.held.log.Path(), Explain: explain,
	}
	r.session.sink.to = event.Tee(r.held.log)
	plan, err := runner.Plan(ctx)
	if err != nil {
		return err
	}
	if plan.Changes() == 0 {
		fmt.Fprintf(con.err, "The restore of %s had come to its end already\n", r.backup.File)
		return r.attempt.End()
	}
	if err := r.propose(con, plan); err != nil {
		return err
	}
	err = errors.Join(r.held.folder.GiveTo(owner(r.cluster)), rememberBundle(r.held.folder, r.session.bundle),
		r.attempt.Begin())
	if err != nil {
		return err
	}
	result, err := watch(ctx, con, r.opts.output, r.session, r.held, runner, r.command)
	if err != nil {
		return err
	}
	return r.end(ctx, con, result)
}

// begin finds the restore that goes on, or makes sure that a new one harms nobody.
func (r *restoring) begin(ctx context.Context, con *console) error {
	var err error
	if r.attempt, err = backup.Resume(r.held.folder, r.backup.SHA256); err != nil {
		return err
	}
	if r.attempt != nil {
		fmt.Fprintf(con.err, "Going on with the restore of %s\n", r.backup.File)
		return nil
	}
	if r.attempt, err = backup.NewAttempt(r.held.folder, r.backup.SHA256); err != nil {
		return err
	}
	if r.opts.force || !r.well(ctx) {
		return nil
	}
	return &Error{
		Cause: fmt.Errorf("the control plane of %s is well: a restore would take back all that changed since %s",
			r.cluster.Metadata.Name, r.backup.At.Local().Format(time.DateTime)),
		Hint: r.opts.again("status") + "\n" + r.opts.again(r.command+" --force"),
	}
}

// well tells that the API server answers and finds itself ready.
func (r *restoring) well(ctx context.Context) bool {
	if _, known, err := r.session.run.Fleet(ctx); err != nil || !known {
		return false
	}
	k, err := clusterOf(r.session.run)
	return err == nil && k.Ready(ctx) == nil
}

func (r *restoring) propose(con *console, plan phase.Plan) error {
	if r.opts.output == outputText || !r.opts.yes {
		showPlan(con, con.err, plan)
		fmt.Fprintln(con.err)
	}
	if r.opts.yes {
		return nil
	}
	question := fmt.Sprintf("Put %s back to %s? What changed since is lost.", r.cluster.Metadata.Name,
		r.backup.At.Local().Format(time.DateTime))
	return confirm(con, question, r.opts.again(r.command+" --yes"))
}

// end forgets the attempt: the next restore of the same file is another one.
func (r *restoring) end(ctx context.Context, con *console, result phase.Result) error {
	if err := r.attempt.End(); err != nil {
		return err
	}
	if k, err := clusterOf(r.session.run); err == nil {
		tellCluster(ctx, con, k, r.backup)
	}
	if r.opts.output == outputJSON {
		return nil
	}
	fmt.Fprintf(con.out, "%s is back as of %s: %s\n", r.cluster.Metadata.Name,
		r.backup.At.Local().Format(time.DateTime), roundly(result.Took))
	return nil
}
