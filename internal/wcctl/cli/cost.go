package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/cost"
)

func newCost(con *console) *cobra.Command {
	var (
		file   clusterFile
		format outputFormat
	)
	cmd := &cobra.Command{
		Use:   "cost",
		Short: "Estimate what a month of the cluster costs",
		Long: `Estimate what a month (730 hours) of the cluster costs, in US dollars before tax, from
prices that wcctl carries. The table tells the date of each and how it is known:

  verified   read from a file generated from AWS's price list within a year
  reported   third parties say so
  old        read from an older generated file
  inferred   computed from other prices

More than budget.monthlyUSD is a warning that names the item with which the sum passes
it, and the changes that fit; the exit code stays 0. Only target aws buys anything.`,
		Example: `  wcctl cost
  wcctl cost -o json | jq .monthly_usd`,
		GroupID: groupCluster,
		Args:    cobra.NoArgs,
		RunE:    func(*cobra.Command, []string) error { return runCost(con, &file, format) },
	}
	file.register(cmd)
	format.register(cmd)
	return cmd
}

func runCost(con *console, file *clusterFile, format outputFormat) error {
	cluster, err := file.load(con)
	if err != nil {
		return err
	}
	estimate, err := cost.Of(cluster)
	var unknown *cost.UnknownError
	if errors.As(err, &unknown) {
		return &Error{Cause: err, Hint: "wcctl config show" + fileArgument(file.path(con))}
	}
	if err != nil {
		return err
	}
	if format == outputJSON {
		return writeJSON(con.out, estimate)
	}
	return showCost(con, con.out, estimate)
}

// showCost prints the table, the budget and what the sum leaves out; `wcctl up` does before buying.
func showCost(con *console, w io.Writer, e cost.Estimate) error {
	style := newTheme(con.colored(w))
	if len(e.Lines) == 0 {
		_, err := fmt.Fprintln(w, e.Notes[0])
		return err
	}
	fmt.Fprintln(w, style.title(fmt.Sprintf("Cluster %s in %s: a month of %d hours, US dollars before tax",
		e.Cluster, e.Region, cost.HoursPerMonth)))
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "\n  item\tquantity\tunit price\t%10s\tprice is\n", "a month")
	for _, l := range e.Lines {
		fmt.Fprintf(table, "  %s\t%s\t%g per %s\t%10.2f\t%s, %s\n",
			l.Item, l.Quantity, l.UnitUSD, l.Unit, l.MonthlyUSD, l.Trust, l.SourceDate)
	}
	fmt.Fprintf(table, "  total\t\t\t%10.2f\ttable of %s\n", e.MonthlyUSD, e.Prices)
	if err := table.Flush(); err != nil {
		return fmt.Errorf("printing the costs: %w", err)
	}
	fmt.Fprintln(w)
	showBudget(w, style, e)
	for _, note := range e.Notes {
		fmt.Fprintln(w, style.faint("  "+note))
	}
	return nil
}

func showBudget(w io.Writer, style theme, e cost.Estimate) {
	switch {
	case e.BudgetUSD == 0:
		fmt.Fprintln(w, "No budget is set (spec.budget.monthlyUSD).")
	case e.OverUSD == 0:
		fmt.Fprintf(w, "Within the budget of %.2f: %.2f are left.\n", e.BudgetUSD, e.BudgetUSD-e.MonthlyUSD)
	default:
		fmt.Fprintln(w, style.warning(fmt.Sprintf("Warning: %.2f over the budget of %.2f, which breaks with %s.",
			e.OverUSD, e.BudgetUSD, e.Breaks)))
		if len(e.Alternatives) == 0 {
			fmt.Fprintln(w, "No single change of the file fits the budget.")
			return
		}
		fmt.Fprintln(w, "One of these changes in spec.aws fits:")
		for _, a := range e.Alternatives {
			fmt.Fprintf(w, "  %-30s %8.2f\n", a.Change, a.MonthlyUSD)
		}
	}
}
