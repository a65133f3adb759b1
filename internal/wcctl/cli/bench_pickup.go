package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

const maxPickups = 1000

type benchPickupOptions struct {
	server    server
	count     int
	maxMedian time.Duration
	output    outputFormat
}

func newBenchPickup(con *console) *cobra.Command {
	var opts benchPickupOptions
	cmd := &cobra.Command{
		Use:   "pickup",
		Short: "Measure how long a new job waits for an idle worker",
		Long: `Measure how long a new job waits for an idle worker: jobs are started one after the
other, and the time from created to processing is taken from the server's own times.`,
		Example: `  wcctl bench pickup --count 50 --max-median 100ms`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.count < 1 || opts.count > maxPickups {
				return usageErrorf(cmd.CommandPath(), "--count must be 1 to %d", maxPickups)
			}
			return runBenchPickup(cmd.Context(), con, opts)
		},
	}
	cmd.Flags().IntVar(&opts.count, "count", 20, "jobs")
	cmd.Flags().DurationVar(&opts.maxMedian, "max-median", 0, "fail when the median is longer")
	opts.output.register(cmd)
	opts.server.register(cmd)
	return cmd
}

type pickupReport struct {
	Jobs     int     `json:"jobs"`
	MinMS    float64 `json:"min_ms"`
	MedianMS float64 `json:"median_ms"`
	P95MS    float64 `json:"p95_ms"`
	MaxMS    float64 `json:"max_ms"`
}

func runBenchPickup(ctx context.Context, con *console, opts benchPickupOptions) error {
	c, err := opts.server.connect(ctx, con)
	if err != nil {
		return err
	}
	user, err := authenticate(ctx, con, c, true)
	if err != nil {
		return err
	}
	took, err := bench.Pickup(ctx, c.WithTokens(user), opts.count)
	if err != nil {
		return withHint("measuring the pickup", err, c.BaseURL())
	}
	median := bench.Quantile(took, .5)
	r := pickupReport{
		Jobs: len(took), MinMS: milliseconds(took[0]), MedianMS: milliseconds(median),
		P95MS: milliseconds(bench.Quantile(took, .95)), MaxMS: milliseconds(took[len(took)-1]),
	}
	if opts.output == outputJSON {
		err = writeJSON(con.out, r)
	} else {
		_, err = fmt.Fprintf(con.out,
			"created to processing, %d jobs: min %.1f ms, median %.1f ms, p95 %.1f ms, max %.1f ms\n",
			r.Jobs, r.MinMS, r.MedianMS, r.P95MS, r.MaxMS)
	}
	if err != nil || opts.maxMedian == 0 || median <= opts.maxMedian {
		return err
	}
	return missed([]string{fmt.Sprintf("the median is %s, not %s", median, opts.maxMedian)})
}
