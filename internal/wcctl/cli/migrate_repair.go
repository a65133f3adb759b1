package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/migrate"
)

type repairOptions struct {
	migrateOptions
	schema           string
	version          int64
	applied, pending bool
}

func newMigrateRepair(con *console) *cobra.Command {
	var (
		opts   repairOptions
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "repair --schema SCHEMA --version N (--applied|--pending)",
		Short: "Settle a half-applied migration",
		Long: `Settle a half-applied migration, one without a transaction that broke off in the middle.

First bring the schema to one of its ends by hand: "wcctl migrate status" tells at which statement
it stopped. Then tell here which end it is. Nothing but the record is changed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigrateRepair(cmd.Context(), con, opts, format)
		},
	}
	opts.register(cmd)
	cmd.Flags().StringVar(&opts.schema, "schema", "", "the schema")
	cmd.Flags().Int64Var(&opts.version, "version", 0, "the half-applied version")
	cmd.Flags().BoolVar(&opts.applied, "applied", false, "it is now wholly applied")
	cmd.Flags().BoolVar(&opts.pending, "pending", false, "it is now wholly undone")
	for _, name := range []string{"schema", "version"} {
		_ = cmd.MarkFlagRequired(name) // the flag is there
	}
	cmd.MarkFlagsOneRequired("applied", "pending")
	cmd.MarkFlagsMutuallyExclusive("applied", "pending")
	format.register(cmd)
	return cmd
}

func runMigrateRepair(
	ctx context.Context, con *console, opts repairOptions, format outputFormat,
) error {
	runner, err := opts.runner(con)
	if err != nil {
		return err
	}
	err = runner.Repair(ctx, opts.schema, opts.version, opts.applied)
	if errors.Is(err, migrate.ErrNotHalfApplied) {
		return &Error{Cause: err, Hint: "wcctl migrate status"}
	}
	if err != nil {
		return migrateError(err)
	}
	return reportStatus(ctx, con, runner, []string{opts.schema}, format)
}
