package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/wcctl/bench"
)

const (
	maxBenchJobs     = 1000
	maxBenchClients  = 1000
	maxBenchDuration = 10 * time.Minute
	benchRounds      = 3
	pollPath         = "/api/v1/waste/analyses/"
)

type benchPollOptions struct {
	server        server
	replicas      []string
	redisAddr     string
	redisPassword string
	redisFirstDB  int
	jobs, clients int
	duration      time.Duration
	minRate       float64
	minRatio      float64
	maxP99        time.Duration
	output        outputFormat
}

func newBenchPoll(con *console) *cobra.Command {
	var opts benchPollOptions
	cmd := &cobra.Command{
		Use:   "poll",
		Short: "Measure how many polls are answered while jobs run",
		Long: fmt.Sprintf(`Measure how many polls are answered while jobs run.

Jobs of photos that no cache knows are started and replaced as they end. Clients with
one kept connection each poll them at the replicas of the waste service. In %d rounds
this takes turns with a bare net/http handler, in a process of its own, that does the
same Redis read and nothing else; the ratio is that of the medians of the rounds.

The replicas and Redis are those of the running wcctl dev unless told otherwise.
Without Redis there is no bare handler and no ratio.`, benchRounds),
		Example: `  wcctl bench poll
  wcctl bench poll --min-rate 3000 --max-p99 50ms --min-ratio 0.5`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := opts.validate(); err != nil {
				return usageError(cmd.CommandPath(), err)
			}
			return runBenchPoll(cmd.Context(), con, opts)
		},
	}
	flags := cmd.Flags()
	flags.IntVar(&opts.jobs, "jobs", 100, "jobs kept running")
	flags.IntVar(&opts.clients, "clients", 50, "pollers at once")
	flags.DurationVar(&opts.duration, "duration", 10*time.Second,
		"time to poll the service; the bare handler takes as long again")
	flags.StringSliceVar(&opts.replicas, "replicas", nil, "base URLs of the waste service's replicas")
	flags.StringVar(&opts.redisAddr, "redis", "", "host:port of the Redis with the jobs")
	flags.IntVar(&opts.redisFirstDB, "redis-first-db", 0, "number of the first of its databases")
	flags.Float64Var(&opts.minRate, "min-rate", 0, "fail when fewer polls per second are answered")
	flags.Float64Var(&opts.minRatio, "min-ratio", 0, "fail when the ratio to the bare handler is lower")
	flags.DurationVar(&opts.maxP99, "max-p99", 0, "fail when the p99 of the median round is longer")
	opts.output.register(cmd)
	opts.server.register(cmd)
	return cmd
}

func (o *benchPollOptions) validate() error {
	switch {
	case o.jobs < 1 || o.jobs > maxBenchJobs:
		return fmt.Errorf("--jobs must be 1 to %d", maxBenchJobs)
	case o.clients < 1 || o.clients > maxBenchClients:
		return fmt.Errorf("--clients must be 1 to %d", maxBenchClients)
	case o.duration < time.Second || o.duration > maxBenchDuration:
		return fmt.Errorf("--duration must be 1s to %s", maxBenchDuration)
	}
	return nil
}

// complete takes what no flag says from the running wcctl dev, if it is the one to measure.
func (o *benchPollOptions) complete(con *console, c *client.Client) error {
	state, err := devState(con)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if state.URL == c.BaseURL() {
		if len(o.replicas) == 0 {
			o.replicas = state.Replicas["waste"]
		}
		if o.redisAddr == "" {
			o.redisAddr, o.redisFirstDB = state.RedisAddr, state.RedisFirstDB
			o.redisPassword = state.RedisPassword
		}
	}
	if len(o.replicas) == 0 {
		o.replicas = []string{c.BaseURL()}
	}
	for i, address := range o.replicas {
		o.replicas[i] = strings.TrimSuffix(address, "/")
	}
	if o.minRatio > 0 && o.redisAddr == "" {
		return usageErrorf("wcctl bench poll", "--min-ratio needs --redis")
	}
	return nil
}

func runBenchPoll(ctx context.Context, con *console, opts benchPollOptions) error {
	c, err := opts.server.connect(ctx, con)
	if err != nil {
		return err
	}
	if err := opts.complete(con, c); err != nil {
		return err
	}
	tokens, err := authenticate(ctx, con, c, true)
	if err != nil {
		return err
	}
	run := &pollBench{opts: opts, user: c.WithTokens(tokens), tokens: tokens, con: con}
	r, err := run.measure(ctx)
	if err != nil {
		return withHint("measuring polls", err, c.BaseURL())
	}
	if err := r.print(con, opts.output); err != nil {
		return err
	}
	return missed(r.faults(opts))
}

// pollBench is one run.
type pollBench struct {
	opts   benchPollOptions
	user   *client.Client
	tokens client.TokenSource
	con    *console
}

func (b *pollBench) measure(ctx context.Context) (*pollReport, error) {
	bareURL := ""
	if b.opts.redisAddr != "" {
		address, stop, err := startBare(ctx, bareConfig{
			Addr: b.opts.redisAddr, FirstDB: b.opts.redisFirstDB, Password: b.opts.redisPassword,
		})
		if err != nil {
			return nil, err
		}
		defer stop()
		bareURL = address
	}
	fmt.Fprintf(b.con.err, "starting %d jobs\n", b.opts.jobs)
	jobs, err := bench.StartJobs(ctx, b.user, b.opts.jobs)
	if err != nil {
		return nil, err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
		defer cancel()
		jobs.Cancel(ctx)
	}()
	r := &pollReport{
		Replicas: b.opts.replicas, Clients: b.opts.clients, RunningMin: b.opts.jobs,
		Service: []pollRound{}, Bare: []pollRound{},
	}
	group, ctx := errgroup.WithContext(ctx)
	ctx, stop := context.WithCancel(ctx)
	group.Go(func() error { return jobs.Keep(ctx) })
	group.Go(func() error {
		defer stop()
		return b.rounds(ctx, jobs, bareURL, r)
	})
	err = group.Wait()
	r.JobsStarted = jobs.Started()
	return r, err
}

// rounds lets service and bare handler take turns, so that what else the machine does hits both.
func (b *pollBench) rounds(
	ctx context.Context, jobs *bench.Jobs, bareURL string, r *pollReport,
) error {
	each := b.opts.duration / benchRounds
	for n := range benchRounds {
		token, err := b.tokens.Token(ctx, "")
		if err != nil {
			return err
		}
		fmt.Fprintf(b.con.err, "round %d of %d\n", n+1, benchRounds)
		service := bench.Load{
			Targets: b.opts.replicas, Path: pollPath, Token: token, Clients: b.opts.clients,
		}
		got, err := service.Run(ctx, jobs.IDs(), each)
		if err != nil {
			return err
		}
		r.Service = append(r.Service, newPollRound(got))
		running, err := jobs.Running(ctx)
		if err != nil {
			return err
		}
		r.RunningMin = min(r.RunningMin, running)
		if bareURL == "" {
			continue
		}
		plain := bench.Load{
			Targets: []string{bareURL}, Path: bench.BarePath, Clients: b.opts.clients,
		}
		if got, err = plain.Run(ctx, jobs.IDs(), each); err != nil {
			return err
		}
		r.Bare = append(r.Bare, newPollRound(got))
	}
	r.summarize()
	return nil
}
