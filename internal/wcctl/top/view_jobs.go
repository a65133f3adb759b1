package top

import (
	"fmt"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

var jobColumns = []column{
	{title: "JOB", width: idWidth},
	{title: "PROGRESS", width: 11, grow: 15},
	{title: "STATE", width: 10, grow: 2},
	{title: "ATT", width: 3, right: true, rank: 3},
	{title: "AGE", width: 6, right: true, rank: 1},
	{title: "ETA", width: 5, right: true, rank: 2},
	{title: "ANSWER OR ERROR", width: 15, grow: unbounded, rank: 4},
	{title: "TRY", width: 3, right: true, rank: 8},
	{title: "TOOK", width: 6, right: true, rank: 7},
	{title: "WORKER", width: 14, grow: 8, rank: 6},
	{title: "USER", width: idWidth, rank: 5},
}

// jobsLine counts all jobs and tells which are shown.
func (m *model) jobsLine(filter string, width int) string {
	p, page := m.paint, m.feed.picture.Jobs
	counts := page.Counts
	list := []string{}
	for _, c := range []struct {
		status job.Status
		word   string
		ink    ink
	}{
		{job.Processing, "running", p.accent},
		{job.Queued, "queued", ""},
		{job.AwaitingUpload, "awaiting upload", ""},
		{job.Failed, "failed", p.bad},
		{job.Succeeded, "succeeded", p.good},
		{job.Canceled, "canceled", ""},
		{job.Expired, "expired", ""},
	} {
		if n := counts[c.status]; n > 0 {
			list = append(list, c.ink.of(count(n))+" "+p.faint.of(c.word))
		}
	}
	if len(m.cursors) > 0 {
		filter = join(" ", filter, p.warn.of(fmt.Sprintf("page %d", len(m.cursors)+1)))
	}
	if only := filterNames[m.only]; only != "" {
		filter = join(" ", p.warn.of(only), filter)
	}
	if filter != "" {
		list = append([]string{filter}, list...)
	}
	return p.parts(width, list...)
}

func (m *model) drawJobs(out *pane, height int) {
	items := m.feed.picture.Jobs.Items
	if len(items) == 0 {
		out.add(m.noJobs()...)
		return
	}
	t := table{jobColumns, func(i int) []cell { return m.jobCells(items[i]) }}
	rows := m.rows()
	t.draw(out, m.paint, *m.list(), rows, m.width, height)
	if next := m.feed.picture.Jobs.Next; next != "" && len(out.lines) < height+len(m.above()) {
		out.add(m.paint.faint.of("   n shows older jobs"))
	}
}

// noJobs helps where nothing is to be seen.
func (m *model) noJobs() []string {
	if m.only != allJobs || m.list().filter != "" || len(m.cursors) > 0 {
		if m.feed.picture.Jobs.Next != "" { // a search looks at so many jobs a page
			return m.nothing("No job of these is like that. n looks at older ones, Esc shows all again.", 0)
		}
		return m.nothing("No job is like that. Esc shows all again.", 0)
	}
	lines := m.nothing("No jobs yet. Send a photo from another terminal:", 0)
	return append(lines, "", "     "+m.paint.accent.of("wcctl analyze photo.jpg"))
}

func (m *model) jobCells(j monitor.Job) []cell {
	p, now := m.paint, m.at()
	answer := cell{text: join(" · ", cells.Clean(j.Class), cells.Clean(j.Item))}
	if j.Error != nil {
		answer = cell{text: cells.Clean(j.Error.Title), ink: p.bad}
	} else if j.Cached {
		answer.text = join(" · ", answer.text, "cached")
	}
	state := cell{text: stateMark(j) + " " + stateWord(j), ink: p.stateInk(j)}
	return []cell{
		{text: shortID(j.ID)},
		{draw: func(width int) string { return p.jobBar(j, width) }},
		state,
		{text: fmt.Sprintf("%d", j.Attempt)},
		{text: cells.Elapsed(now.Sub(j.CreatedAt))},
		{text: eta(now, j), ink: p.faint},
		answer,
		{text: fmt.Sprintf("%d", j.Tries), ink: p.faint},
		{text: took(now, j)},
		{text: cells.Clean(j.Worker), ink: p.faint},
		{text: shortID(j.User), ink: p.faint},
	}
}

// jobBar is a job's progress with its percent behind it.
func (p paint) jobBar(j monitor.Job, width int) string {
	const number = 5
	return p.bar(j.Progress, width-number, p.stateInk(j)) + fmt.Sprintf("%4d%%", j.Progress)
}

func eta(now time.Time, j monitor.Job) string {
	if j.ETA == nil || j.Status.Final() {
		return ""
	}
	return cells.Elapsed(max(j.ETA.Sub(now), 0))
}

// took is how long a job ran, or has run by now.
func took(now time.Time, j monitor.Job) string {
	switch {
	case j.StartedAt == nil:
		return ""
	case j.FinishedAt != nil:
		return cells.Elapsed(j.FinishedAt.Sub(*j.StartedAt))
	}
	return cells.Elapsed(now.Sub(*j.StartedAt))
}

// stateWord is the stage of a running job, else the status.
func stateWord(j monitor.Job) string {
	switch {
	case j.Orphan:
		return "orphan"
	case j.Stalled:
		return "stalled"
	case j.Archived:
		return "archived"
	}
	switch j.Status {
	case job.Processing:
		return string(j.Stage)
	case job.AwaitingUpload:
		return "upload"
	case job.Succeeded:
		return "done"
	case job.Queued, job.Failed, job.Canceled, job.Expired:
	}
	return string(j.Status)
}

func stateMark(j monitor.Job) string {
	if j.Orphan || j.Stalled {
		return "!"
	}
	if j.Archived {
		return "–"
	}
	switch j.Status {
	case job.Processing:
		return "▸"
	case job.Succeeded:
		return "✓"
	case job.Failed:
		return "✗"
	case job.Canceled, job.Expired:
		return "–"
	case job.AwaitingUpload, job.Queued:
	}
	return "·"
}

func (p paint) stateInk(j monitor.Job) ink {
	if j.Orphan || j.Stalled {
		return p.warn
	}
	if j.Archived {
		return p.faint
	}
	switch j.Status {
	case job.Processing:
		return p.accent
	case job.Succeeded:
		return p.good
	case job.Failed:
		return p.bad
	case job.AwaitingUpload, job.Queued, job.Canceled, job.Expired:
	}
	return p.faint
}

// copyID hands the id below the cursor to the terminal's clipboard.
func (m *model) copyID() tea.Cmd {
	id := m.subject()
	if id == "" {
		m.say(true, "nothing here has an id")
		return nil
	}
	m.say(false, "copied %s", id)
	return tea.SetClipboard(id)
}

// subject is the whole id of what is below the cursor.
func (m *model) subject() string {
	if m.detail != nil {
		return m.detail.id.String()
	}
	if id := m.jobUnderCursor(); !id.IsNil() {
		return id.String()
	}
	return ""
}

// jobUnderCursor is the job that the row below the cursor is about, nil if it is about none.
func (m *model) jobUnderCursor() uuid.UUID {
	rows := m.rows()
	if len(rows) == 0 {
		return uuid.Nil
	}
	index := m.list().index
	switch m.view {
	case jobs:
		return m.feed.picture.Jobs.Items[index].ID
	case workers:
		return m.workerRows()[index].job()
	case events:
		return uuid.FromStringOrNil(m.events()[index].Subject)
	case overview:
		return m.overviewRows()[index].job
	case queues, services, cluster, viewCount:
	}
	return uuid.Nil
}

// open looks closely at the job below the cursor, or goes where the row points to.
func (m *model) open() tea.Cmd {
	if id := m.jobUnderCursor(); !id.IsNil() {
		return m.openJob(id)
	}
	if m.view != overview || len(m.overviewRows()) == 0 {
		return nil
	}
	row := m.overviewRows()[m.list().index]
	m.show(row.to)
	if row.only != allJobs {
		m.only = allJobs
		return m.filter(row.only)
	}
	return nil
}

func (m *model) openJob(id uuid.UUID) tea.Cmd {
	m.detail = &detail{id: id}
	return m.fetch()
}

// follow looks at a job until it has ended, even where nobody looks at the terminal.
func (m *model) follow() tea.Cmd {
	var cmd tea.Cmd
	if m.detail == nil {
		id := m.jobUnderCursor()
		if id.IsNil() {
			m.say(true, "no job is chosen: turn to the jobs with 2")
			return nil
		}
		cmd = m.openJob(id)
	}
	d := m.detail
	d.follow = !d.follow
	if d.follow {
		m.say(false, "following %s to its end", shortID(d.id))
	} else {
		m.say(false, "no longer following %s", shortID(d.id))
	}
	return cmd
}

// noteEnd tells that the job that is followed has ended, with the terminal's bell.
func (m *model) noteEnd() tea.Cmd {
	j := m.detail.job.Job
	if !m.detail.follow || !j.Status.Final() {
		return nil
	}
	m.detail.follow = false
	m.say(j.Status != job.Succeeded, "%s has %s after %s", shortID(j.ID), ended(j.Status), took(m.now(), j))
	return tea.Raw("\a")
}
