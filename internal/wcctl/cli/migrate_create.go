package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/migrate"
)

func newMigrateCreate(con *console) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:     "create SCHEMA NAME",
		Short:   "Write the next, empty migration of a schema",
		Example: "  wcctl migrate create waste add_feedback_source",
		Args:    cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			path, err := migrate.Create(dir, args[0], args[1])
			if err != nil {
				return usageError("wcctl migrate create", err)
			}
			_, err = fmt.Fprintln(con.out, path)
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "migrations", "the folder that has a folder per schema")
	return cmd
}
