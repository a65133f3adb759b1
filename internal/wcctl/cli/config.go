package cli

import "github.com/spf13/cobra"

// newConfig holds the commands on wastecoach.yaml itself.
func newConfig(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check and show wastecoach.yaml",
		Long: `Check and show wastecoach.yaml, the file that describes the cluster.
Every key is explained in docs/cluster/configuration.md; wcctl init writes a commented file.`,
		GroupID: groupCluster,
	}
	cmd.AddCommand(newConfigValidate(con), newConfigShow(con), newConfigSchema(con))
	return cmd
}

// fileOrArgument lets a file stand as the only argument instead of after -f.
func fileOrArgument(file *clusterFile, args []string) {
	if len(args) > 0 {
		file.flag = args[0]
	}
}
