package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

func newBackupList(con *console) *cobra.Command {
	var (
		flags  clusterFlags
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the backups in the state folder, the newest first",
		Long: `List the backups in the state folder, the newest first. Only the beginning of each is read:
wcctl backup verify reads all. With -o json it is one document:

  {"backups": [{"file", "bytes", "cluster", "release", "machine", "at", "seconds", "fault",
    "etcd": {"version", "revision", "keys", "bytes", "hash"},
    "settings": {PATH: VALUE}, "files": {PATH: {"bytes", "sha256"}}}, ...]}`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBackupList(cmd.Context(), con, &flags, format)
		},
	}
	format.register(cmd)
	flags.register(cmd)
	return cmd
}

func runBackupList(_ context.Context, con *console, flags *clusterFlags, format outputFormat) error {
	folder, err := flags.folder(con)
	if err != nil {
		return err
	}
	list, err := backupsOf(folder).List()
	if err != nil {
		return err
	}
	if format == outputJSON {
		return writeJSON(con.out, map[string]any{"backups": list})
	}
	if len(list) == 0 {
		fmt.Fprintf(con.out, "There is no backup in %s\n", folder.Backups())
		return nil
	}
	_, err = fmt.Fprint(con.out, backupTable(con, list, time.Now()))
	return err
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
