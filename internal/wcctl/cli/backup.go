package cli

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// newBackup holds the commands on backups of the control plane and of PostgreSQL.
func newBackup(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup",
		Short: "Take, list, verify and restore backups of the control plane and of PostgreSQL",
		Long: `Take, list, verify and restore backups.

Of the control plane: etcd's data, the cluster's certificate authorities and the key that its
secrets are encrypted with, in a file on this computer. Whoever has such a file has the cluster.

Of PostgreSQL: base backups and the write-ahead log in S3, which a CronJob takes by itself, and
which lead to any point in time.

docs/cluster/backup.md tells what is in them and how to schedule them.`,
		GroupID: groupCluster,
	}
	create, restore := newBackupCreate(con), newBackupRestore(con)
	create.AddCommand(newBackupCreatePostgres(con))
	restore.AddCommand(newBackupRestorePostgres(con))
	cmd.AddCommand(create, newBackupList(con), newBackupVerify(con), restore)
	return cmd
}

func backupsOf(folder workspace.Folder) backup.Folder { return backup.Folder(folder.Backups()) }

// verified finds a backup by its path or its name and reads all of it.
func verified(flags *clusterFlags, folder workspace.Folder, name string) (backup.Backup, error) {
	b, err := backup.Verify(backupsOf(folder).Find(name))
	if errors.Is(err, fs.ErrNotExist) {
		return b, &Error{
			Cause: fmt.Errorf("there is no backup %s", name), Hint: flags.again("backup list"), ExitCode: exitUsage,
		}
	}
	if err != nil {
		return b, &Error{Cause: err, Hint: flags.again("backup list")}
	}
	return b, nil
}

// backupSize is a size as a person says it.
func backupSize(bytes int64) string {
	const kibi, mebi = 1 << 10, 1 << 20
	if bytes < mebi {
		return fmt.Sprintf("%d KiB", max(bytes/kibi, 1))
	}
	return fmt.Sprintf("%.1f MiB", float64(bytes)/mebi)
}
