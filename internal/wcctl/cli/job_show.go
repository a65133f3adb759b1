package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

func newJobShow(con *console) *cobra.Command {
	var opts jobOptions
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a job with its steps, errors, task and result",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, words []string) error {
			return withJob(cmd, con, &opts, words[0], func(system *monitor.System, id uuid.UUID) error {
				detail, err := system.Job(cmd.Context(), id)
				if err != nil {
					return unknownJob(err, id)
				}
				if opts.output == outputJSON {
					return writeJSON(con.out, detail)
				}
				return showJob(con.out, detail, time.Now())
			})
		},
	}
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

// withJob opens the system and completes the id.
func withJob(
	cmd *cobra.Command, con *console, opts *jobOptions, word string,
	do func(*monitor.System, uuid.UUID) error,
) error {
	system, err := opts.open(cmd.Context(), con)
	if err != nil {
		return err
	}
	defer system.Close()
	ids, err := findJobs(cmd.Context(), system, cmd.CommandPath(), []string{word})
	if err != nil {
		return err
	}
	return do(system, ids[0])
}

func showJob(w io.Writer, d monitor.JobDetail, now time.Time) error {
	facts := [][]string{
		{"job", d.ID.String()},
		{"user", d.User.String()},
		{"request", d.RequestID},
		{"status", statusWord(d.Job)},
		{"stage", fmt.Sprintf("%s, %d %%, attempt %d", d.Stage, d.Progress, d.Attempt)},
		{"task", fmt.Sprintf("%s in the queue %s, %s", d.Task, d.Queue, dashed(d.TaskState))},
		{"created", timeAndAge(d.CreatedAt, now)},
	}
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, []string{name, value})
		}
	}
	if d.FinishedAt != nil {
		add("finished", timeAndAge(*d.FinishedAt, now)+", after "+roundly(d.FinishedAt.Sub(d.CreatedAt)).String())
	}
	if d.ETA != nil {
		add("expected", "in "+roundly(d.ETA.Sub(now)).String())
	}
	add("worker", d.Worker)
	if d.Lease != nil {
		add("lease", d.Lease.Local().Format(time.TimeOnly))
	}
	if d.Class != "" {
		add("found", d.Class+", "+d.Item)
	}
	if p := d.Photo; p != nil {
		add("photo", fmt.Sprintf("%s, %d bytes, sha256 %s", p.ContentType, p.Size, p.SHA256))
	}
	if d.Error != nil {
		add("error", d.Error.Code+": "+d.Error.Detail)
	}
	add("last error", d.LastError)
	if err := writeTable(w, facts); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := writeTable(w, stepRows(d.Steps, now)); err != nil {
		return err
	}
	return errors.Join(writeRaw(w, "payload", d.Payload), writeRaw(w, "result", d.Result))
}

func stepRows(steps []monitor.Step, now time.Time) [][]string {
	rows := [][]string{{"ATTEMPT", "STAGE", "BEGAN", "TOOK", "WORKER", "ERROR"}}
	for _, s := range steps {
		took := "(" + roundly(now.Sub(s.StartedAt)).String() + ")"
		if s.EndedAt != nil {
			took = roundly(s.EndedAt.Sub(s.StartedAt)).String()
		}
		why := ""
		if s.Error != nil {
			why = s.Error.Code
			if s.Error.Detail != "" {
				why += ": " + s.Error.Detail
			}
		}
		rows = append(rows, []string{
			fmt.Sprint(s.Attempt), string(s.Stage), s.StartedAt.Local().Format(time.TimeOnly), took,
			dashed(s.Worker), why,
		})
	}
	return rows
}

func writeRaw(w io.Writer, name string, raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var text bytes.Buffer
	if err := json.Indent(&text, raw, "", "  "); err != nil {
		return fmt.Errorf("printing the %s: %w", name, err)
	}
	_, err := fmt.Fprintf(w, "\n%s\n%s\n", name, text.String())
	return err
}

func newJobWatch(con *console) *cobra.Command {
	var opts jobOptions
	cmd := &cobra.Command{
		Use:   "watch ID",
		Short: "Follow a job until it ends",
		Long: `Follow a job until it ends: a line for each change, with -o json a document for each. The
exit code is 0 when the job succeeded, else 1.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, words []string) error {
			return withJob(cmd, con, &opts, words[0], func(system *monitor.System, id uuid.UUID) error {
				return watchJob(cmd.Context(), con, system, opts.output, id)
			})
		},
	}
	opts.output.register(cmd)
	opts.register(cmd)
	return cmd
}

const (
	watchJobEvery = 500 * time.Millisecond
	// watchPatience is how long the service may be away before a watch gives up.
	watchPatience = time.Minute
)

func watchJob(
	ctx context.Context, con *console, system *monitor.System, format outputFormat, id uuid.UUID,
) error {
	tick := time.NewTicker(watchJobEvery)
	defer tick.Stop()
	shown, heard := "", time.Now()
	for {
		detail, err := system.Job(ctx, id)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			heard = time.Now()
			line := watchLine(detail)
			if line != shown {
				shown = line
				if err := showWatchedJob(con, format, detail, line); err != nil {
					return err
				}
			}
			if detail.Status.Final() {
				return endOfWatch(detail)
			}
		case time.Since(heard) > watchPatience || !monitor.Passing(err):
			return unknownJob(err, id)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func watchLine(d monitor.JobDetail) string {
	return fmt.Sprintf("%3d %%  %-9s  attempt %d  %s", d.Progress, d.Stage, d.Attempt, statusWord(d.Job))
}

func showWatchedJob(con *console, format outputFormat, d monitor.JobDetail, line string) error {
	if format == outputJSON {
		return writeLine(con.out, d)
	}
	_, err := fmt.Fprintf(con.out, "%s  %s\n", time.Now().Format(time.TimeOnly), line)
	return err
}

func endOfWatch(d monitor.JobDetail) error {
	if d.Status == job.Succeeded {
		return nil
	}
	e := &Error{Cause: fmt.Errorf("the job ended as %s", d.Status), Hint: "wcctl job show " + d.ID.String()}
	if d.Error != nil {
		e.Cause = fmt.Errorf("the job ended as %s: %s", d.Status, d.Error.Detail)
	}
	return e
}
