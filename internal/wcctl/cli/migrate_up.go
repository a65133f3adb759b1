package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/migrate"
)

func newMigrateUp(con *console) *cobra.Command {
	var (
		opts   migrateOptions
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Apply what is pending",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigrateUp(cmd.Context(), con, opts, format)
		},
	}
	opts.registerSchemas(cmd)
	format.register(cmd)
	return cmd
}

func runMigrateUp(ctx context.Context, con *console, opts migrateOptions, format outputFormat) error {
	runner, err := opts.runner(con)
	if err != nil {
		return err
	}
	if err := runner.Up(ctx, opts.schemas...); err != nil {
		return migrateError(err)
	}
	return reportStatus(ctx, con, runner, opts.schemas, format)
}

// reportStatus prints where the schemas stand.
func reportStatus(
	ctx context.Context, con *console, runner *migrate.Runner, schemas []string, format outputFormat,
) error {
	all, err := runner.Status(ctx, schemas...)
	if err != nil {
		return migrateError(err)
	}
	if format == outputJSON {
		return writeJSON(con.out, all)
	}
	for _, s := range all {
		if _, err := fmt.Fprint(con.out, statusText(s)); err != nil {
			return err
		}
	}
	return nil
}
