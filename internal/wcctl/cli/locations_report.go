package cli

import (
	"fmt"
	"strings"
)

// shownRefusals are those that people read; -o json has more.
const shownRefusals = 20

func printImport(con *console, opts importOptions, report importReport) error {
	if opts.output == outputJSON {
		if err := writeJSON(con.out, report); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(con.out, importText(report)); err != nil {
		return err
	}
	if report.Refused == 0 {
		return nil
	}
	others := "the others are imported"
	if opts.dryRun {
		others = "nothing was changed"
	}
	return &Error{Cause: fmt.Errorf("%d of %d rows were refused; %s", report.Refused, report.Rows, others)}
}

func importText(report importReport) string {
	var b strings.Builder
	kind := ""
	if report.DryRun {
		kind = ", dry run"
	}
	fmt.Fprintf(&b, "%s as %s (%s%s)\n", report.File, report.Source, report.Encoding, kind)
	for _, line := range []struct {
		count int
		what  string
	}{
		{report.Rows, "rows"},
		{report.Inserted, "new points"},
		{report.Updated, "changed points"},
		{report.Unchanged, "unchanged points"},
		{report.Swapped, "with latitude and longitude exchanged, put right"},
		{report.NoHours, "without opening hours that are understood"},
		{report.Refused, "refused"},
	} {
		fmt.Fprintf(&b, "  %9d  %s\n", line.count, line.what)
	}
	for i, refusal := range report.Refusals {
		if i == shownRefusals {
			fmt.Fprintf(&b, "  and %d more: see -o json\n", report.Refused-shownRefusals)
			break
		}
		fmt.Fprintf(&b, "  line %d: %s\n", refusal.Line, refusal.Reason)
	}
	return b.String()
}
