package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/migrate"
)

func newMigrateStatus(con *console) *cobra.Command {
	var (
		opts   migrateOptions
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell what is applied, pending or half-applied",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runMigrateStatus(cmd.Context(), con, opts, format)
		},
	}
	opts.registerSchemas(cmd)
	format.register(cmd)
	return cmd
}

func runMigrateStatus(
	ctx context.Context, con *console, opts migrateOptions, format outputFormat,
) error {
	runner, err := opts.runner(con)
	if err != nil {
		return err
	}
	return reportStatus(ctx, con, runner, opts.schemas, format)
}

func statusText(s migrate.Status) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s  version %d of %d", s.Schema, s.Version, s.Latest)
	if s.Since != nil {
		fmt.Fprintf(&b, ", applied %s", s.Since.Local().Format(time.DateTime))
	}
	fmt.Fprintln(&b)
	for _, a := range s.Applied {
		if a.File == "" {
			fmt.Fprintf(&b, "  unknown   version %d is applied, but this wcctl does not know it\n", a.Version)
		}
	}
	for _, p := range s.Pending {
		fmt.Fprintf(&b, "  pending   %s\n", p.File)
	}
	switch {
	case s.Half != nil && s.Half.Running:
		fmt.Fprintf(&b, "  running   %s\n", s.Half)
	case s.Half != nil:
		fmt.Fprintf(&b, "  half-applied  %s\n", s.Half)
		fmt.Fprintf(&b, "  repair it by hand, then: wcctl migrate repair --schema %s --version %d "+
			"--applied|--pending\n", s.Schema, s.Half.Version)
	}
	return b.String()
}
