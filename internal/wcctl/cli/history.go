package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
)

// historyOptions is what `wcctl history` was told.
type historyOptions struct {
	clusterFlags
	output outputFormat
}

func newHistory(con *console) *cobra.Command {
	var opts historyOptions
	cmd := &cobra.Command{
		Use:   "history SERVICE",
		Short: "List the versions of a service that were deployed",
		Long: `List the revisions of a service or of another release (storage, data, ingress, autoscaling, monitoring,
lab), the newest last, with what became of each. A blue-green deployment is three of them; wcctl rollback
goes back to those that say deployed. With delivery gitops they are the commits of its file in Git.
With -o json: {"revisions": [{"revision", "status", "updated", "description", "image", "commit"}, ...]}.`,
		Example: `  wcctl history waste
  wcctl history waste -o json | jq -r '.revisions[-1].image'`,
		GroupID: groupCluster,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runHistory(cmd.Context(), con, &opts, args[0])
		},
	}
	opts.output.register(cmd)
	opts.clusterFlags.register(cmd)
	return cmd
}

func runHistory(ctx context.Context, con *console, opts *historyOptions, release string) error {
	v, d, err := openDeployer(ctx, con, &opts.clusterFlags, &wantedRelease{}, io.Discard)
	if err != nil {
		return err
	}
	defer v.Close()
	revisions, err := d.History(release)
	if err != nil {
		return clusterError(ctx, &opts.clusterFlags, "history "+release, "", err)
	}
	if len(revisions) == 0 {
		return &Error{
			Op: "reading the history of " + release, Cause: helm.ErrNoRelease, Hint: opts.again("deploy " + release),
		}
	}
	if opts.output == outputJSON {
		return writeJSON(con.out, map[string]any{"revisions": revisions})
	}
	w := tabwriter.NewWriter(con.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "REVISION\tSTATUS\tWHEN\tWHAT\tIMAGE")
	for _, r := range revisions {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", r.Revision.Revision, r.Status, r.Updated.Local().Format(time.DateTime),
			what(r), r.Image)
	}
	return w.Flush()
}

// what a revision is for, with the commit that says so where there is one.
func what(r deploy.Revision) string {
	if r.Commit == "" {
		return r.Description
	}
	return r.Description + " (" + r.Commit + ")"
}
