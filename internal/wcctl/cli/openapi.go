package cli

import (
	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/api"
)

func newOpenAPI(con *console) *cobra.Command {
	return &cobra.Command{
		Use:     "openapi",
		GroupID: groupApp,
		Short:   "Print the API's contract, to generate clients from",
		Long: `Print the contract of all services as one OpenAPI 3.1 document, in YAML: what the
services of this build answer.`,
		Example: `  wcctl openapi > openapi.yaml
  npx openapi-typescript openapi.yaml -o openapi.d.ts`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			document, err := api.Merged()
			if err != nil {
				return err
			}
			_, err = con.out.Write(document)
			return err
		},
	}
}
