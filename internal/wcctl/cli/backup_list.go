package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/pgbackup"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

func newBackupList(con *console) *cobra.Command {
	var (
		flags  clusterFlags
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the backups in the state folder and those of PostgreSQL, the newest first",
		Long: `List the backups of the control plane in the state folder and, where there is a cluster, those of
its PostgreSQL in S3, the newest first. Of a file only the beginning is read: wcctl backup verify
reads all. S3 is asked from within the cluster, by a Job. With -o json it is one document:

  {"backups": [{"file", "bytes", "cluster", "release", "machine", "at", "seconds", "fault",
    "etcd": {"version", "revision", "keys", "bytes", "hash"},
    "settings": {PATH: VALUE}, "files": {PATH: {"bytes", "sha256"}}}, ...],
   "postgres": {"backups": [{"label", "start", "end", "bytes", "stored", "damaged"}, ...], "fault"}}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBackupList(cmd.Context(), con, &flags, format)
		},
	}
	format.register(cmd)
	flags.register(cmd)
	return cmd
}

func runBackupList(ctx context.Context, con *console, flags *clusterFlags, format outputFormat) error {
	folder, err := flags.folder(con)
	if err != nil {
		return err
	}
	list, err := backupsOf(folder).List()
	if err != nil {
		return err
	}
	database := listPostgres(ctx, con, flags, folder)
	if err := ctx.Err(); err != nil {
		return err
	}
	if format == outputJSON {
		return writeJSON(con.out, map[string]any{"backups": list, "postgres": database})
	}
	if len(list) == 0 {
		fmt.Fprintf(con.out, "There is no backup in %s\n", folder.Backups())
	} else {
		fmt.Fprint(con.out, backupTable(con, list, time.Now()))
	}
	database.show(con, time.Now())
	return nil
}

// postgresBackups are those of the cluster's PostgreSQL, or why they are not known.
type postgresBackups struct {
	Backups []pgbackup.Backup `json:"backups"`
	Fault   string            `json:"fault,omitempty"`
}

// listPostgres is nil where there is no cluster.
func listPostgres(
	ctx context.Context, con *console, flags *clusterFlags, folder workspace.Folder,
) *postgresBackups {
	if _, err := os.Stat(folder.Kubeconfig()); err != nil {
		return nil
	}
	found := &postgresBackups{Backups: []pgbackup.Backup{}}
	list, err := func() ([]pgbackup.Backup, error) {
		v, err := openView(ctx, con, flags)
		if err != nil {
			return nil, err
		}
		defer v.Close()
		d, err := databaseOf(con, v)
		if err != nil {
			return nil, err
		}
		return d.List(ctx)
	}()
	if err != nil {
		found.Fault = err.Error()
		return found
	}
	found.Backups = list
	return found
}

func (b *postgresBackups) show(con *console, now time.Time) {
	switch {
	case b == nil:
		return
	case b.Fault != "":
		fmt.Fprintf(con.out, "\nPostgreSQL: %s\n", cells.Clean(b.Fault))
		return
	case len(b.Backups) == 0:
		fmt.Fprintf(con.out, "\nThere is no backup of PostgreSQL yet\n")
		return
	}
	p := &page{width: con.width(con.out)}
	rows := [][]string{{"AGE", "SIZE", "DATABASE", "POSTGRESQL"}}
	for _, one := range b.Backups {
		label := cells.Clean(one.Label)
		if one.Damaged {
			label += ": pages do not fit their checksums"
		}
		rows = append(rows, []string{ageOf(now, one.End), backupSize(one.Stored), backupSize(one.Bytes), label})
	}
	widths := columns(rows)
	for _, row := range rows {
		tableLine(p, widths, row, nil)
	}
	first := b.Backups[len(b.Backups)-1].End.Add(time.Second)
	fmt.Fprintf(con.out, "\n%sIt can be taken back to any time since %s\n", p, local(first))
}

func backupTable(con *console, list []backup.Listed, now time.Time) string {
	style := newTheme(con.colored(con.out))
	p := &page{width: con.width(con.out)}
	rows := [][]string{{"AGE", "SIZE", "CLUSTER", "RELEASE", "REVISION", "KEYS", "FILE"}}
	for _, b := range list {
		row := []string{
			ageOf(now, b.At), backupSize(b.Bytes), cells.Clean(b.Cluster), cells.Clean(b.Release),
			strconv.FormatInt(b.Etcd.Revision, 10), strconv.FormatInt(b.Etcd.Keys, 10), filepath.Base(b.File),
		}
		if b.Fault != "" {
			row = []string{"-", backupSize(b.Bytes), "-", "-", "-", "-", filepath.Base(b.File) + ": " + b.Fault}
		}
		rows = append(rows, row)
	}
	widths := columns(rows)
	tableLine(p, widths, rows[0], nil)
	for i, b := range list {
		paint := asIs
		if b.Fault != "" {
			paint = style.bad
		}
		tableLine(p, widths, rows[i+1], paint)
	}
	return p.String()
}
