package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newBackupVerify(con *console) *cobra.Command {
	var (
		flags  clusterFlags
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Tell whether a backup is whole",
		Long: `Tell whether a backup is whole: every file in it against the manifest, etcd's snapshot against
the sum that etcd put at its end, and the file itself against the SHA-256 beside it. FILE is a
path, or a name from wcctl backup list. No cluster is asked.`,
		Example: `  wcctl backup verify 20261126T030000Z-etcd.tar.gz`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			folder, err := flags.folder(con)
			if err != nil {
				return err
			}
			b, err := verified(&flags, folder, args[0])
			if err != nil {
				return err
			}
			if format == outputJSON {
				return writeJSON(con.out, b)
			}
			fmt.Fprintf(con.out, "%s is whole: %s of %s, Kubernetes %s, etcd's revision %d\n", b.File,
				counted(len(b.Files), "file"), b.Cluster, b.Release, b.Etcd.Revision)
			return nil
		},
	}
	format.register(cmd)
	flags.register(cmd)
	return cmd
}
