package cli

import (
	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func newConfigSchema(con *console) *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of the file",
		Long: `Print the JSON schema (draft 2020-12) of wastecoach.yaml. Editors with the YAML
language server complete and check the file when its first line is

  # yaml-language-server: $schema=wastecoach.schema.json`,
		Example: `  wcctl config schema > wastecoach.schema.json`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := con.out.Write(spec.Schema())
			return err
		},
	}
}
