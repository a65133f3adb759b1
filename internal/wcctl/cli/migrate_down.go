package cli

import (
	"context"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/migrate"
)

func newMigrateDown(con *console) *cobra.Command {
	var (
		opts   migrateOptions
		schema string
		yes    bool
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "down --schema SCHEMA",
		Short: "Take the newest migration of one schema back",
		Long:  "Take the newest migration of one schema back. Data that only it has room for is lost.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			opts.schemas = []string{schema}
			return runMigrateDown(cmd.Context(), con, opts, yes, format)
		},
	}
	opts.register(cmd)
	cmd.Flags().StringVar(&schema, "schema", "", "the schema")
	_ = cmd.MarkFlagRequired("schema") // the flag is there
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	format.register(cmd)
	return cmd
}

func runMigrateDown(
	ctx context.Context, con *console, opts migrateOptions, yes bool, format outputFormat,
) error {
	runner, err := opts.runner(con)
	if err != nil {
		return err
	}
	all, err := runner.Status(ctx, opts.schemas...)
	if err != nil {
		return migrateError(err)
	}
	s := all[0]
	if s.Version == 0 && s.Half == nil {
		return &Error{Op: "schema " + s.Schema, Cause: migrate.ErrNothingApplied}
	}
	if !yes && s.Half == nil {
		name := fmt.Sprintf("version %d", s.Version)
		if file := s.Applied[len(s.Applied)-1].File; file != "" {
			name = path.Join(s.Schema, file)
		}
		err := confirm(con, fmt.Sprintf("Take %s back, with the data that only it has room for?", name),
			"wcctl migrate down --schema "+s.Schema+" --yes")
		if err != nil {
			return err
		}
	}
	if err := runner.Down(ctx, s.Schema); err != nil {
		return migrateError(err)
	}
	return reportStatus(ctx, con, runner, opts.schemas, format)
}
