package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

func newNodeList(con *console) *cobra.Command {
	var (
		flags  clusterFlags
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the nodes, and the machines that are none",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runNodeList(cmd.Context(), con, &flags, format)
		},
	}
	format.register(cmd)
	flags.register(cmd)
	return cmd
}

func runNodeList(
	ctx context.Context, con *console, flags *clusterFlags, format outputFormat,
) error {
	v, err := openView(ctx, con, flags)
	if err != nil {
		return err
	}
	defer v.Close()
	if v.kube == nil {
		return noCluster(flags, v.folder)
	}
	v.options.Run = nil // certificates are not asked for here
	report := v.kube.Look(ctx, v.options)
	if first := report.Conditions[0]; len(report.Nodes) == 0 && first.State != kube.OK {
		return &Error{
			Op: "asking the API server", Cause: fmt.Errorf("%s", first.Message), Hint: flags.again("status"),
		}
	}
	if format == outputJSON {
		return writeJSON(con.out, map[string]any{"nodes": report.Nodes})
	}
	p := &page{width: con.width(con.out)}
	nodeTable(p, newTheme(con.colored(con.out)), report)
	_, err = fmt.Fprint(con.out, p.String())
	return err
}
