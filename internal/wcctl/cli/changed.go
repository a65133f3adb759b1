package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/affected"
)

// defaultSince is what a branch is compared with.
const defaultSince = "origin/main"

func newChanged(con *console) *cobra.Command {
	var (
		since   string
		history int
		format  outputFormat
	)
	cmd := &cobra.Command{
		Use:   "changed",
		Short: "Tell which services a change of the repository concerns",
		Long: `Tell which services, and whether wcctl, are concerned by what this working tree changes since
it left a branch: those must be built and tested. It follows Go's import graph, tests
included, the versions in go.mod, and each service's chart, migrations and API document. In
doubt it names all. The pipelines in .github/workflows ask it.

--history tells the same of the newest commits, each on its own.`,
		Example: `  wcctl changed --since origin/main
  wcctl changed --since HEAD~1 -o json | jq -c .affected
  wcctl changed --history 20`,
		GroupID: groupMeasure,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if history > 0 {
				return runChangedHistory(cmd.Context(), con, history, format)
			}
			return runChanged(cmd.Context(), con, since, format)
		},
	}
	cmd.Flags().StringVar(&since, "since", defaultSince, "branch, tag or commit `REF` to compare with")
	cmd.Flags().IntVar(&history, "history", 0, "look at the `N` newest commits instead")
	cmd.MarkFlagsMutuallyExclusive("since", "history")
	format.register(cmd)
	return cmd
}

func runChanged(ctx context.Context, con *console, since string, format outputFormat) error {
	report, err := affected.Since(ctx, ".", since)
	if errors.Is(err, affected.ErrNoCommit) {
		return &Error{Cause: err, Hint: "git fetch origin\nwcctl changed --since HEAD~1"}
	}
	if err != nil {
		return err
	}
	if format == outputJSON {
		return writeJSON(con.out, report)
	}
	if len(report.Affected) == 0 {
		fmt.Fprintf(con.out, "Nothing to build or test: %s\n", counted(report.Files, "changed file"))
		return nil
	}
	for _, c := range report.Affected {
		fmt.Fprintf(con.out, "%-10s %s\n", c, strings.Join(report.Reasons[c], " "))
	}
	return nil
}

// changedHistory is what `wcctl changed --history -o json` prints.
type changedHistory struct {
	Commits []affected.Report `json:"commits"`
	// Saved is the share of the services' builds that were not needed, 0–1.
	Saved float64 `json:"saved"`
}

func runChangedHistory(ctx context.Context, con *console, commits int, format outputFormat) error {
	answer := changedHistory{Commits: []affected.Report{}}
	if format != outputJSON {
		fmt.Fprintln(con.out, "COMMIT      FILES  CONCERNS")
	}
	err := affected.History(ctx, ".", commits, func(r affected.Report) {
		answer.Commits = append(answer.Commits, r)
		answer.Saved += r.Saved()
		if format != outputJSON {
			fmt.Fprintf(con.out, "%.10s  %5d  %s\n", r.Head, r.Files, orNothing(r.Affected))
		}
	})
	if err != nil {
		return err
	}
	if n := len(answer.Commits); n > 0 {
		answer.Saved /= float64(n)
	}
	if format == outputJSON {
		return writeJSON(con.out, answer)
	}
	fmt.Fprintf(con.out, "\n%.0f %% of the services' builds in %s were not needed\n", 100*answer.Saved,
		counted(len(answer.Commits), "commit"))
	return nil
}

func orNothing(names []string) string {
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, " ")
}
