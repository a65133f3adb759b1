package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newConfigShow(con *console) *cobra.Command {
	var (
		file   clusterFile
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Print the file with its defaults filled in",
		Long: `Print what a valid file means: every default is filled in, and key files have their
full path. It is YAML, or JSON with -o json.`,
		Example: `  wcctl config show
  wcctl config show -o json | jq .spec.kubernetes.version`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			fileOrArgument(&file, args)
			return runConfigShow(con, &file, format)
		},
	}
	file.register(cmd)
	format.register(cmd)
	return cmd
}

func runConfigShow(con *console, file *clusterFile, format outputFormat) error {
	cluster, err := file.load(con)
	if err != nil {
		return err
	}
	if format == outputJSON {
		return writeJSON(con.out, cluster)
	}
	text, err := cluster.YAML()
	if err != nil {
		return fmt.Errorf("printing the file: %w", err)
	}
	_, err = con.out.Write(text)
	return err
}
