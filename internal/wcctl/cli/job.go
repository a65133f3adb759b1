package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

func newJob(con *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "job",
		GroupID: groupOperate,
		Short:   "Look at the jobs of all users, and act on them",
		Long: `Look at the jobs of all users, and act on them. A job is named by its id, or by the first 8
or more characters of it. Each action leaves a line in the waste service's audit log.`,
	}
	cmd.AddCommand(newJobLs(con), newJobShow(con), newJobWatch(con),
		newJobAct(con, monitor.Retry, false, "Run failed, canceled or archived jobs again",
			`Run failed, canceled or archived jobs again, from their last good stage: what a model was
paid for is not asked again. A job whose photo is gone cannot be run again.`),
		newJobAct(con, monitor.Cancel, true, "End unfinished jobs",
			`End unfinished jobs: their users see them as canceled.`),
		newJobAct(con, monitor.Archive, true, "Put unfinished jobs aside until they are retried",
			`Put unfinished jobs aside until they are retried, at the latest until the job's last day. Their
users see them as queued.`),
		newJobAct(con, monitor.Delete, true, "Remove finished jobs with their photos",
			`Remove finished jobs with their photos and answers. Their users do not find them any more.`),
		newJobAct(con, monitor.RunNow, false, "Do not wait for the time of retries",
			`Do not wait for the time at which the jobs' tasks are to run again.`),
		newJobAct(con, monitor.Repair, false, "Send the tasks of orphaned or stalled jobs again",
			`Send the tasks of orphaned or stalled jobs again. The leading worker does so by itself within
seconds: where a job needs this, no waste worker runs.`),
	)
	return cmd
}

type jobOptions struct {
	systemFlags
	output outputFormat
	yes    bool
}

type jobLsOptions struct {
	jobOptions
	status  []string
	search  string
	stalled bool
	limit   int
	before  string
}

const (
	defaultJobs = 20
	maxJobs     = 500
)

func newJobLs(con *console) *cobra.Command {
	var opts jobLsOptions
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List jobs, the newest first",
		Long: `List jobs, the newest first, after the counts of all. A search of four or more hexadecimal
digits is for ids of jobs or users that begin so; any other one is for words in class,
item and error, among the newest 2,000 of the chosen status and on by --before.

With -o json: {"items": [...], "next": CURSOR, "counts": {STATUS: N}, "last_24h": {...}}.`,
		Example: `  wcctl job ls --status failed
  wcctl job ls --search battery --limit 5
  wcctl job ls --stalled -o json | jq -r '.items[].id'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opts.limit < 1 || opts.limit > maxJobs {
				return usageErrorf(cmd.CommandPath(), "--limit must be 1 to %d", maxJobs)
			}
			return runJobLs(cmd.Context(), con, &opts)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&opts.status, "status", nil, "only jobs in these, e.g. failed,processing")
	f.StringVar(&opts.search, "search", "", "only jobs whose id, user, class, item or error matches")
	f.BoolVar(&opts.stalled, "stalled", false, "only jobs that nobody works on although somebody should")
	f.IntVar(&opts.limit, "limit", defaultJobs, "how many at most")
	f.StringVar(&opts.before, "before", "", "go on at this cursor: next of the page before")
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func (o *jobLsOptions) query() (monitor.JobQuery, error) {
	q := monitor.JobQuery{Text: o.search, Stalled: o.stalled, Limit: o.limit, Before: o.before}
	for _, word := range o.status {
		status := job.Status(strings.ReplaceAll(word, "-", "_"))
		if !slices.Contains(job.Statuses(), status) {
			return q, usageErrorf("wcctl job ls", "there is no status %q, but %v", word, job.Statuses())
		}
		q.Status = append(q.Status, status)
	}
	return q, nil
}

func runJobLs(ctx context.Context, con *console, opts *jobLsOptions) error {
	query, err := opts.query()
	if err != nil {
		return err
	}
	system, err := opts.open(ctx, con)
	if err != nil {
		return err
	}
	defer system.Close()
	page, err := system.Jobs(ctx, query)
	if err != nil {
		return systemError(err)
	}
	if opts.output == outputJSON {
		return writeJSON(con.out, page)
	}
	fmt.Fprintf(con.out, "%s\n\n", countsLine(page))
	if err := writeTable(con.out, jobRows(page.Items)); err != nil {
		return err
	}
	if page.Next != "" {
		fmt.Fprintf(con.err, "There are more: --before %s\n", page.Next)
	}
	return nil
}

func newJobAct(con *console, verb monitor.Verb, ask bool, short, long string) *cobra.Command {
	var opts jobOptions
	cmd := &cobra.Command{
		Use:     string(verb) + " ID...",
		Short:   short,
		Long:    long,
		Example: "  wcctl job " + string(verb) + " 0193a5c2-7d41-7c3e-9b1a-5f2e8d6c4b3a",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, words []string) error {
			return runJobAct(cmd, con, &opts, verb, ask, words)
		},
	}
	if ask {
		cmd.Flags().BoolVarP(&opts.yes, "yes", "y", false, "do not ask")
	}
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

func runJobAct(
	cmd *cobra.Command, con *console, opts *jobOptions, verb monitor.Verb, ask bool, words []string,
) error {
	ctx := cmd.Context()
	system, err := opts.open(ctx, con)
	if err != nil {
		return err
	}
	defer system.Close()
	ids, err := findJobs(ctx, system, cmd.CommandPath(), words)
	if err != nil {
		return err
	}
	if ask && !opts.yes {
		question := strings.ToUpper(string(verb[0])) + string(verb[1:]) + " " + counted(len(ids), "job") + "?"
		again := cmd.CommandPath() + " --yes " + strings.Join(words, " ") + opts.suffix()
		if err := confirm(con, question, again); err != nil {
			return err
		}
	}
	outcomes, err := system.Act(ctx, monitor.Action{Verb: verb, Jobs: ids})
	if err != nil {
		return systemError(err)
	}
	return showOutcomes(con, opts.output, verb, outcomes)
}
