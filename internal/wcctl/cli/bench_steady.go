package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

const (
	maxSteadyRate     = 1000
	maxSteadyDuration = 30 * time.Minute
	steadyConnections = 64
)

type benchSteadyOptions struct {
	server    server
	rate      float64
	photos    float64
	duration  time.Duration
	patience  time.Duration
	maxFailed int
	output    outputFormat
}

func newBenchSteady(con *console) *cobra.Command {
	opts := benchSteadyOptions{maxFailed: -1}
	cmd := &cobra.Command{
		Use:   "steady",
		Short: "Ask at a steady rate and count what fails",
		Long: `Ask at a steady rate and count what fails: to run while something is deployed, breaks or is
cut. Photos that no cache knows are sent and analyzed; what is left of the rate polls the analyses.
The rate does not fall when answers take longer.

Every request counts as it went on the wire, also those that the client sends again: one with a
status of 400 or more (but 401, an expired token), without an answer, or with a torn one has failed.
When the time is over, or with Ctrl-C, no photo is sent any more and all analyses get their end;
one without an end is lost.

The limits of one user may be lower than the rate: raise HTTP_LIMIT_READS, _WRITES and _COSTLY where you measure.
With -o json every second of the run is in it.`,
		Example: `  wcctl bench steady --rate 100 --photos 2 --duration 2m
  wcctl bench steady --server https://api.example.org --max-failed 0 -o json >run.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.validate(); err != nil {
				return usageError(cmd.CommandPath(), err)
			}
			return runBenchSteady(cmd.Context(), con, opts)
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&opts.rate, "rate", 100, "requests begun in a second")
	flags.Float64Var(&opts.photos, "photos", 1, "photos begun in a second; each takes three requests of the rate")
	flags.DurationVar(&opts.duration, "duration", time.Minute, "time to send photos")
	flags.DurationVar(&opts.patience, "patience", 2*time.Minute, "time for the last analyses to end")
	flags.IntVar(&opts.maxFailed, "max-failed", -1, "fail when more requests fail, or when an analysis is lost")
	opts.output.register(cmd)
	opts.server.register(cmd)
	return cmd
}

// photoRequests is how many requests a photo takes: its announcement, itself, its analysis.
const photoRequests = 3

func (o *benchSteadyOptions) validate() error {
	switch {
	case o.rate <= 0 || o.rate > maxSteadyRate:
		return fmt.Errorf("--rate must be above 0 and at most %d", maxSteadyRate)
	case o.photos <= 0 || o.photos*photoRequests >= o.rate:
		return fmt.Errorf("--photos must be above 0, and %d times as many below --rate", photoRequests)
	case o.duration < time.Second || o.duration > maxSteadyDuration:
		return fmt.Errorf("--duration must be 1s to %s", maxSteadyDuration)
	}
	return nil
}

// steadyReport is what is printed.
type steadyReport struct {
	bench.Noted
	P50MS    float64    `json:"p50_ms"`
	P95MS    float64    `json:"p95_ms"`
	P99MS    float64    `json:"p99_ms"`
	MaxMS    float64    `json:"max_ms"`
	Analyses bench.Ends `json:"analyses"`
}

func runBenchSteady(ctx context.Context, con *console, opts benchSteadyOptions) error {
	address, transport, err := opts.server.reach(ctx, con)
	if err != nil {
		return err
	}
	transport.MaxIdleConnsPerHost = steadyConnections
	wire := &bench.Wire{Next: transport}
	c, err := newClient(address, transport)
	if err != nil {
		return err
	}
	tokens, err := authenticate(ctx, con, c, true)
	if err != nil {
		return err
	}
	counted, err := newClient(address, wire)
	if err != nil {
		return err
	}
	user := counted.WithTokens(tokens)
	ends, err := bench.Steady{
		Client: user, Polls: opts.rate - photoRequests*opts.photos, Photos: opts.photos,
		Duration: opts.duration, Patience: opts.patience,
	}.Run(ctx)
	if err != nil {
		return err
	}
	n := wire.Noted()
	r := steadyReport{
		Noted: n, Analyses: ends, P50MS: milliseconds(n.P50), P95MS: milliseconds(n.P95),
		P99MS: milliseconds(n.P99), MaxMS: milliseconds(n.Max),
	}
	if opts.output == outputJSON {
		err = writeJSON(con.out, r)
	} else {
		err = r.write(con.out)
	}
	if err != nil {
		return err
	}
	return missed(r.faults(opts.maxFailed))
}

func (r *steadyReport) write(w io.Writer) error {
	failed := ""
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		failed += fmt.Sprintf(", %d × %s", r.Errors[kind], kind)
	}
	if failed != "" {
		failed = " (" + strings.TrimPrefix(failed, ", ") + ")"
	}
	_, err := fmt.Fprintf(w, `requests  %d, %.1f/s: p50 %.1f ms, p95 %.1f ms, p99 %.1f ms, max %.1f ms
failed    %d%s
trouble   %d s, from the first failure to the last second with 1 %% or more
analyses  %d started: %d succeeded, %d failed, %d lost; %d could not be started
`, r.Requests, r.Rate, r.P50MS, r.P95MS, r.P99MS, r.MaxMS, r.Failed, failed, r.TroubledSeconds,
		r.Analyses.Started, r.Analyses.Succeeded, r.Analyses.Failed, r.Analyses.Lost, r.Analyses.NotStarted)
	return err
}

func (r *steadyReport) faults(maxFailed int) []string {
	if maxFailed < 0 {
		return nil
	}
	var faults []string
	if r.Failed > maxFailed {
		faults = append(faults, fmt.Sprintf("%d requests failed, more than %d", r.Failed, maxFailed))
	}
	if r.Analyses.Lost > 0 {
		faults = append(faults, fmt.Sprintf("%d analyses are lost", r.Analyses.Lost))
	}
	return faults
}
