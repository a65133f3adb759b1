package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

func newBundleVerify(con *console) *cobra.Command {
	var output outputFormat
	cmd := &cobra.Command{
		Use:   "verify DIR",
		Short: "Read a whole bundle and name all that is wrong with it",
		Long: `verify reads every file and compares it with the lock. It finds files that are missing, changed or
not in the lock, images that lack a part and a package index that does not fit its packages.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runBundleVerify(cmd.Context(), con, args[0], output)
		},
	}
	output.register(cmd)
	return cmd
}

func runBundleVerify(ctx context.Context, con *console, dir string, output outputFormat) error {
	b, err := openBundle(dir)
	if err != nil {
		return err
	}
	var found *bundle.FaultsError
	err = b.Verify(ctx)
	if err != nil && !errors.As(err, &found) {
		return err
	}
	if output == outputJSON {
		faults := []bundle.Fault{}
		if found != nil {
			faults = found.Faults
		}
		if err := writeJSON(con.out, map[string]any{"dir": dir, "faults": faults}); err != nil {
			return err
		}
	}
	if found == nil {
		if output == outputJSON {
			return nil
		}
		return printBundle(con, b, output)
	}
	if output != outputJSON {
		for _, f := range found.Faults {
			fmt.Fprintf(con.out, "%s: %s\n", f.Path, f.Text)
		}
	}
	return &Error{
		Cause: fmt.Errorf("%s has %d faults", dir, len(found.Faults)),
		Hint:  bundleCreatePath + " --kubernetes-version " + b.Lock().Kubernetes + " " + dir,
	}
}
