package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

func newBundle(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Make and check the folder that installs a cluster without a network",
		Long: `A bundle holds all that a cluster is made of: programs built from Go modules, container images made
of them, Debian packages with all that they depend on. Its lock names the SHA-256 of every file.
` + "`wcctl up --bundle DIR`" + ` needs nothing else.`,
		Example: `  wcctl bundle create bundle
  wcctl bundle verify bundle
  wcctl up --bundle bundle`,
		GroupID: groupCluster,
	}
	cmd.AddCommand(
		newBundleCreate(con),
		newBundleVerify(con),
		newBundleShow(con),
		newBundleServe(con),
	)
	return cmd
}

func openBundle(dir string) (*bundle.Bundle, error) {
	b, err := bundle.Open(dir)
	if errors.Is(err, bundle.ErrNotBundle) {
		return nil, &Error{Cause: err, Hint: bundleCreatePath + " " + dir}
	}
	return b, err
}
