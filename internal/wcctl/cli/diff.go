package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

const diffPath = "wcctl diff"

// diffOptions is what `wcctl diff` was told.
type diffOptions struct {
	clusterFlags
	wantedRelease
	output outputFormat
	// exitDone is for a dry run: changes are no news then.
	exitDone bool
	// path is how the command is called.
	path string
}

func newDiff(con *console) *cobra.Command {
	opts := diffOptions{path: diffPath}
	cmd := &cobra.Command{
		Use:   "diff [SERVICE...]",
		Short: "Show what wcctl deploy would change",
		Long: `Show what wcctl deploy would change of what is live, as unified diffs: the API server applies
everything by a dry run. Values of secrets are not shown. With delivery gitops it is what the commit
would change of what the charts render.

The exit code is 3 where there are changes. With -o json it is one document:

  {"releases": {NAME: [{"object", "action": "create|update|delete", "diff"}, ...]}}`,
		Example: `  wcctl diff waste --tag 1a2b3c4d5e6f
  wcctl diff --all -o json | jq '.releases | map_values(length)'`,
		GroupID:   groupCluster,
		ValidArgs: deploy.Services(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDiff(cmd.Context(), con, &opts, args)
		},
	}
	opts.wantedRelease.register(cmd)
	opts.output.register(cmd)
	opts.clusterFlags.register(cmd)
	return cmd
}

func runDiff(ctx context.Context, con *console, opts *diffOptions, args []string) error {
	request, err := opts.request(ctx, opts.path, args)
	if err != nil {
		return err
	}
	v, d, err := openDeployer(ctx, con, &opts.clusterFlags, &opts.wantedRelease, io.Discard)
	if err != nil {
		return err
	}
	defer v.Close()
	if err := opts.valuesInGit(v.spec, opts.path); err != nil {
		return err
	}
	changes, err := d.Diff(ctx, request)
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, "diff", "", err)
	}
	if err := showChanges(con, opts.output, changes); err != nil {
		return err
	}
	count := 0
	for _, list := range changes {
		count += len(list)
	}
	if count == 0 || opts.exitDone {
		return nil
	}
	return &Error{
		Cause: errors.New(counted(count, "object") + " would change"), ExitCode: exitChanges,
		Hint: opts.again(opts.command(request)),
	}
}

func showChanges(con *console, format outputFormat, changes map[string][]helm.Change) error {
	if format == outputJSON {
		for name, list := range changes {
			if list == nil {
				changes[name] = []helm.Change{}
			}
		}
		return writeJSON(con.out, map[string]any{"releases": changes})
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		if len(changes[name]) == 0 {
			fmt.Fprintf(con.out, "%s: nothing would change\n", name)
		}
		for _, c := range changes[name] {
			fmt.Fprintf(con.out, "%s: %s %s\n%s\n", name, c.Action, c.Object, c.Diff)
		}
	}
	return nil
}
