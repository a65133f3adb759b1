package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/pgbackup"
)

type restorePostgresOptions struct {
	clusterFlags
	toTime string
	to     time.Time
	yes    bool
	output outputFormat
}

const restorePostgres = "backup restore postgres"

func newBackupRestorePostgres(con *console) *cobra.Command {
	var opts restorePostgresOptions
	cmd := &cobra.Command{
		Use:   "postgres --to-time TIME",
		Short: "Take the cluster's PostgreSQL back to a point in time",
		Long: `Take the cluster's PostgreSQL back to a point in time: any since the end of the first backup of
wcctl backup list. The services have no database meanwhile, and answer that they are not ready.

The database comes up at that time in a folder beside its data and takes its place only then. The
data from before is kept on the volume, until you remove it. Where the restore fails, the database
is started as it was. At last a new base backup is taken.

After Ctrl-C the same command goes on. On a terminal you are asked first; elsewhere --yes is needed.
With -o json the outcome is one document:

  {"to", "last_transaction", "archive_ended_before", "rows": {DATABASE.SCHEMA.TABLE: COUNT}, "aside",
    "backup": {"label", "start", "end", "bytes", "stored", "damaged"}}`,
		Example: `  wcctl backup restore postgres --to-time 2026-11-26T08:00:00+09:00`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRestorePostgres(cmd.Context(), con, &opts)
		},
	}
	f := cmd.Flags()
	f.StringVar(&opts.toTime, "to-time", "", "the point in `TIME`, as RFC 3339 writes it")
	f.BoolVarP(&opts.yes, "yes", "y", false, "do not ask")
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

// command is what goes on after an interrupt.
func (o *restorePostgresOptions) command() string { return restorePostgres + " --to-time " + o.toTime }

func runRestorePostgres(ctx context.Context, con *console, opts *restorePostgresOptions) error {
	var err error
	if opts.to, err = time.Parse(time.RFC3339, opts.toTime); err != nil {
		return usageErrorf("wcctl "+restorePostgres,
			"--to-time %q is no time like 2026-11-26T08:00:00+09:00", opts.toTime)
	}
	if opts.to.After(time.Now()) {
		return usageErrorf("wcctl "+restorePostgres, "--to-time %s is in the future", opts.toTime)
	}
	if !opts.yes && !con.interactive() {
		return &Error{
			Cause: errors.New("nobody can be asked here whether to go on"),
			Hint:  opts.again(opts.command() + " --yes"), ExitCode: exitUsage,
		}
	}
	_, folder, err := opts.open(con)
	if err != nil {
		return err
	}
	if !folder.Exists() {
		return noCluster(&opts.clusterFlags, folder)
	}
	h, ctx, err := hold(ctx, con, folder, "restore-postgres")
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, opts.command(), "", err)
	}
	err = errors.Join(opts.restore(ctx, con), h.release())
	return databaseError(ctx, &opts.clusterFlags, opts.command(), h.log.Path(), err)
}

// restore does it, with the lock held.
func (o *restorePostgresOptions) restore(ctx context.Context, con *console) error {
	v, err := openView(ctx, con, &o.clusterFlags)
	if err != nil {
		return err
	}
	defer v.Close()
	d, err := databaseOf(con, v)
	if err != nil {
		return err
	}
	attempt, goesOn, err := d.Begin(ctx, o.to)
	if err != nil {
		return err
	}
	if goesOn {
		fmt.Fprintf(con.err, "Going on with the restore to %s\n", local(o.to))
	} else if !o.yes {
		question := fmt.Sprintf("Take PostgreSQL of %s back to %s? What changed since is lost, and the services "+
			"have no database meanwhile.", v.spec.Metadata.Name, local(o.to))
		if err := confirm(con, question, o.again(o.command()+" --yes")); err != nil {
			return err
		}
	}
	start := time.Now()
	done, err := d.Restore(ctx, attempt)
	if err != nil {
		return err
	}
	if o.output == outputJSON {
		return writeJSON(con.out, done)
	}
	showRestored(con, done, time.Since(start))
	return nil
}

func local(at time.Time) string { return at.Local().Format(time.DateTime) }

func showRestored(con *console, r pgbackup.Restored, took time.Duration) {
	var rows int64
	for _, n := range r.Rows {
		rows += n
	}
	fmt.Fprintf(con.out, "PostgreSQL is back as of %s: %s with %s, %s\n", local(r.To),
		counted(len(r.Rows), "table"), counted(int(rows), "row"), roundly(took))
	if !r.Last.IsZero() {
		fmt.Fprintf(con.out, "The last transaction ended at %s\n", local(r.Last))
	}
	if r.Short {
		fmt.Fprintf(con.out, "The archive holds nothing later: what there was until %s, if anything, is lost\n",
			local(r.To))
	}
	fmt.Fprintf(con.out, "The data from before takes its room on the volume until you remove it:\n"+
		"  kubectl -n %s exec postgres-0 -- rm -r %s\n", pgbackup.Namespace, r.Aside)
}
