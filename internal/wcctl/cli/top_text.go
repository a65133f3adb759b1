package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// writeTable aligns all columns but the last; Korean letters take two.
func writeTable(w io.Writer, rows [][]string) error {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], ansi.StringWidth(cells.Clean(cell)))
		}
	}
	var text strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			cell = cells.Clean(cell)
			line += cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+columnGap)
		}
		text.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// writePicture prints each part as a table, in the order of a screen's views.
func writePicture(w io.Writer, p monitor.Picture) error {
	fmt.Fprintf(w, "%s, %s\n", p.Source, p.At.Local().Format(time.DateTime))
	sections := []struct {
		part  monitor.Part
		title string
		// rows is the part's table, facts what it has no column for.
		rows, facts [][]string
	}{
		{monitor.Jobs, "JOBS  " + countsLine(p.Jobs), jobRows(p.Jobs.Items), nil},
		{monitor.Queues, "QUEUES", queueRows(p.Queues), nil},
		{monitor.Workers, "WORKERS", workerRows(p.Workers, p.At), nil},
		{monitor.Services, "SERVICES", serviceRows(p.Services), nil},
		{monitor.Cluster, "CLUSTER", nodeRows(p.Cluster), clusterFacts(p.Cluster, p.At)},
		{monitor.Events, "EVENTS", eventRows(p.Events), nil},
	}
	for _, s := range sections {
		fault, bad := p.Faults[s.part]
		if len(s.rows) == 0 && !bad {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", s.title)
		if bad {
			fmt.Fprintf(w, "! %s%s\n", cells.Clean(fault.Message), readBefore(fault, p.At))
		}
		if err := errors.Join(writeTable(w, s.rows), writeTable(w, s.facts)); err != nil {
			return err
		}
	}
	return nil
}

func readBefore(f monitor.Fault, now time.Time) string {
	if f.ReadAt.IsZero() {
		return ""
	}
	return "; as it was " + ageOf(now, f.ReadAt) + " ago"
}

// pictureError is the outcome of a picture that lacks parts; what they lack has been printed.
func pictureError(p monitor.Picture) error {
	bad := p.Bad()
	if len(bad) == 0 {
		return nil
	}
	words := make([]string, len(bad))
	for i, part := range bad {
		words[i] = string(part) + ": " + p.Faults[part].Message
	}
	return &Error{
		Cause: fmt.Errorf("not all could be read: %s", strings.Join(words, "; ")), Hint: p.Faults[bad[0]].Hint,
	}
}

// countsLine is e.g. "3 processing, 120 succeeded; last 24 h: 118 succeeded (71 % cached), 2 failed".
func countsLine(p monitor.JobPage) string {
	var words []string
	for _, s := range job.Statuses() {
		if n := p.Counts[s]; n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, strings.ReplaceAll(string(s), "_", " ")))
		}
	}
	if len(words) == 0 {
		words = []string{"none yet"}
	}
	line := strings.Join(words, ", ")
	if l := p.Last24h; l.Succeeded+l.Failed+l.Canceled > 0 {
		line += fmt.Sprintf("; last 24 h: %d succeeded", l.Succeeded)
		if l.Succeeded > 0 {
			line += fmt.Sprintf(" (%s cached)", percent(float64(l.Cached)/float64(l.Succeeded)))
		}
		line += fmt.Sprintf(", %d failed, %d canceled", l.Failed, l.Canceled)
	}
	return line
}

func percent(share float64) string { return fmt.Sprintf("%.0f %%", share*100) }

// statusWord is the status, or what is wrong with it.
func statusWord(j monitor.Job) string {
	word := strings.ReplaceAll(string(j.Status), "_", " ")
	switch {
	case j.Archived:
		word += ", archived"
	case j.Orphan:
		word += ", orphan"
	case j.Stalled:
		word += ", stalled"
	}
	return word
}

func jobRows(jobs []monitor.Job) [][]string {
	if len(jobs) == 0 {
		return nil
	}
	rows := [][]string{{"ID", "STATUS", "PROGRESS", "STAGE", "ATTEMPT", "CREATED", "USER", "FOUND", "ERROR"}}
	for _, j := range jobs {
		failure := ""
		if j.Error != nil {
			failure = j.Error.Code
		}
		found := j.Class
		if j.Item != "" {
			found += ", " + j.Item
		}
		rows = append(rows, []string{
			j.ID.String(), statusWord(j), fmt.Sprintf("%3d %%", j.Progress), string(j.Stage),
			fmt.Sprint(j.Attempt), j.CreatedAt.Local().Format(time.DateTime), shortID(j.User.String()),
			dashed(found), failure,
		})
	}
	return rows
}

// shortID is the end of an id: the beginnings of those of one minute are the same.
func shortID(id string) string { return "…" + id[len(id)-12:] }

func queueRows(queues []monitor.Queue) [][]string {
	if len(queues) == 0 {
		return nil
	}
	rows := [][]string{{
		"QUEUE", "STATE", "PENDING", "ACTIVE", "SCHEDULED", "RETRY", "ARCHIVED", "COMPLETED", "ORPHANS",
		"OLDEST", "WAIT", "RUN", "PROCESSED", "FAILED",
	}}
	for _, q := range queues {
		state := "runs"
		if q.Paused {
			state = "paused"
		}
		rows = append(rows, []string{
			q.Name, state, fmt.Sprint(q.Pending), fmt.Sprint(q.Active), fmt.Sprint(q.Scheduled),
			fmt.Sprint(q.Retry), fmt.Sprint(q.Archived), fmt.Sprint(q.Completed), fmt.Sprint(q.Orphans),
			tookOf(q.Oldest), tookOf(q.Wait.P50) + " / " + tookOf(q.Wait.P95),
			tookOf(q.Run.P50) + " / " + tookOf(q.Run.P95), fmt.Sprint(q.Processed), fmt.Sprint(q.Failed),
		})
	}
	return rows
}

// tookOf is e.g. 45ms, 1.2s or 3m20s; a dash for nothing.
func tookOf(d time.Duration) string {
	switch {
	case d <= 0:
		return "-"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func workerRows(workers []monitor.Worker, now time.Time) [][]string {
	if len(workers) == 0 {
		return nil
	}
	rows := [][]string{{"WORKER", "HOST", "QUEUES", "STATE", "UP", "BUSY", "RUNS"}}
	for _, w := range workers {
		var runs []string
		for _, r := range w.Running {
			subject := r.Task
			if r.Job.Valid {
				subject += " " + r.Job.UUID.String()
			}
			runs = append(runs, subject+" for "+tookOf(now.Sub(r.Since)))
		}
		rows = append(rows, []string{
			shortID(w.ID), fmt.Sprintf("%s:%d", w.Host, w.PID), strings.Join(w.Queues, ","), w.Status,
			ageOf(now, w.StartedAt), fmt.Sprintf("%d/%d", len(w.Running), w.Concurrency), strings.Join(runs, ", "),
		})
	}
	return rows
}

func serviceRows(services []monitor.Service) [][]string {
	if len(services) == 0 {
		return nil
	}
	rows := [][]string{{"SERVICE", "READY", "RATE", "ERRORS", "P95", "VERSION", "WHY"}}
	for _, s := range services {
		rows = append(rows, []string{
			s.Name, fmt.Sprintf("%d/%d", s.Ready, s.Replicas), fmt.Sprintf("%.1f/s", s.Rate), percent(s.Errors),
			tookOf(s.P95), dashed(strings.Join(s.Versions, " ")), s.Why,
		})
	}
	return rows
}

func nodeRows(c *monitor.ClusterState) [][]string {
	if c == nil {
		return nil
	}
	rows := [][]string{{"NODE", "ROLES", "STATE", "CPU", "MEMORY", "PODS"}}
	for _, n := range c.Nodes {
		state := "Ready"
		if !n.Ready {
			state = "NotReady"
		}
		if len(n.Pressure) > 0 {
			state += ", too little " + strings.Join(n.Pressure, ", ")
		}
		rows = append(rows, []string{
			n.Name, strings.Join(n.Roles, ","), state, shareText(n.CPU), shareText(n.Memory), fmt.Sprint(n.Pods),
		})
	}
	return rows
}

// clusterFacts are what the table of nodes has no column for.
func clusterFacts(c *monitor.ClusterState, now time.Time) [][]string {
	if c == nil {
		return nil
	}
	var pods []string
	for _, phase := range slices.Sorted(maps.Keys(c.Pods)) {
		pods = append(pods, fmt.Sprintf("%d %s", c.Pods[phase], strings.ToLower(phase)))
	}
	rows := [][]string{{"version", c.Version}, {"pods", strings.Join(pods, ", ")}}
	for _, why := range c.Waiting {
		rows = append(rows, []string{"waits", why})
	}
	for _, r := range c.Rollouts {
		rows = append(rows, []string{
			"rollout", fmt.Sprintf("%s: %d of %d updated, %d ready", r.Name, r.Updated, r.Wanted, r.Ready),
		})
	}
	if c.CertificatesExpire != nil {
		days := int(c.CertificatesExpire.Sub(now) / (24 * time.Hour))
		rows = append(rows, []string{"certificates", counted(days, "day") + " left"})
	}
	if c.BackupAt != nil {
		rows = append(rows, []string{"backup", timeAndAge(*c.BackupAt, now)})
	}
	if c.DatabaseBackupAt != nil {
		rows = append(rows, []string{"database backup", timeAndAge(*c.DatabaseBackupAt, now)})
	}
	return rows
}

func shareText(share *float64) string {
	if share == nil {
		return "-"
	}
	return percent(*share)
}

func eventRows(events []monitor.Event) [][]string {
	const most = 20
	var rows [][]string
	for _, e := range events[:min(len(events), most)] {
		rows = append(rows, []string{
			e.At.Local().Format(time.DateTime), e.Kind, e.Subject, dashed(e.Actor), e.Message,
		})
	}
	return rows
}

func timeAndAge(at, now time.Time) string {
	return at.Local().Format(time.DateTime) + ", " + ageOf(now, at) + " ago"
}

func dashed(text string) string { return cmp.Or(text, "-") }
