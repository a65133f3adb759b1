package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

func newBackupCreatePostgres(con *console) *cobra.Command {
	var (
		flags  clusterFlags
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "postgres",
		Short: "Take a base backup of the cluster's PostgreSQL into S3",
		Long: `Take a base backup of the cluster's PostgreSQL into S3, beside the ones that its CronJob takes.
The database works on meanwhile. A database outside of the cluster is backed up by its provider.

After Ctrl-C nothing of it goes on. With -o json the backup is printed, as by wcctl backup list.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := runBackupCreatePostgres(cmd.Context(), con, &flags, format)
			return databaseError(cmd.Context(), &flags, "backup create postgres", "", err)
		},
	}
	format.register(cmd)
	flags.register(cmd)
	return cmd
}

func runBackupCreatePostgres(ctx context.Context, con *console, flags *clusterFlags, format outputFormat) error {
	v, err := openView(ctx, con, flags)
	if err != nil {
		return err
	}
	defer v.Close()
	d, err := databaseOf(con, v)
	if err != nil {
		return err
	}
	start := time.Now()
	fmt.Fprintf(con.err, "Taking a backup of PostgreSQL\n")
	backups, err := d.Create(ctx)
	if err != nil {
		return err
	}
	taken := backups[0]
	if format == outputJSON {
		return writeJSON(con.out, taken)
	}
	fmt.Fprintf(con.out, "%s: %s of a database of %s, %s\n", taken.Label, backupSize(taken.Stored),
		backupSize(taken.Bytes), roundly(time.Since(start)))
	return nil
}
