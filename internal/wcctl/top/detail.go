package top

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// detail is the job that is looked at closely.
type detail struct {
	id     uuid.UUID
	job    monitor.JobDetail
	got    bool
	err    error
	follow bool
	scroll scroll
}

const labelWidth = 12

// detailLines are all that is known of the job.
func (m *model) detailLines() []string {
	d, p := m.detail, m.paint
	if !d.got {
		text := "Reading job " + d.id.String() + " …"
		if d.err != nil {
			text = p.bad.of("! " + capital(cells.Clean(monitor.Explain(d.err))))
		}
		return append([]string{""}, wrap(" "+text, m.width-2)...)
	}
	lines := m.detailHead()
	lines = append(lines, m.detailErrors()...)
	lines = append(lines, m.detailSteps()...)
	lines = append(lines, m.section("Job")...)
	lines = append(lines, m.detailFacts()...)
	lines = append(lines, m.detailPhoto()...)
	lines = append(lines, m.detailJSON("Answer", d.job.Result)...)
	return append(lines, m.detailJSON("Task's payload", d.job.Payload)...)
}

func (m *model) detailHead() []string {
	d, p := m.detail, m.paint
	j := d.job.Job
	state := p.stateInk(j).of(stateMark(j) + " " + stateWord(j))
	follow := ""
	if d.follow {
		follow = p.warn.of("following")
	}
	id := p.bold.of(j.ID.String())
	if m.width < narrow { // the id alone fills the line
		return []string{" " + id, " " + state + "  " + p.jobBar(j, m.width-cells.Width(state)-4)}
	}
	lines := []string{
		" " + join("  ", id, state, follow),
		" " + p.jobBar(j, min(m.width-2, 78)),
	}
	if d.err != nil {
		text := "! not read again: " + cells.Clean(monitor.Explain(d.err))
		lines = append(lines, " "+p.bad.of(cells.Cut(text, m.width-2)))
	}
	return lines
}

// fact is a label with its text; an empty text is not shown.
type fact struct{ label, text string }

func (m *model) detailFacts() []string {
	now := m.at()
	j := m.detail.job
	lease := ""
	if j.Lease != nil && !j.Status.Final() {
		lease = "held for " + until(now, *j.Lease)
	}
	task := join(" ", join(" in ", j.Task, j.Queue), parens(j.TaskState))
	return m.facts([]fact{
		{"stage", string(j.Stage)},
		{"attempt", join(", ", fmt.Sprintf("%d", j.Attempt), times(j.Tries))},
		{"created", when(now, &j.CreatedAt)},
		{"started", when(now, j.StartedAt)},
		{"finished", when(now, j.FinishedAt)},
		{"took", took(now, j.Job)},
		{"ends in", eta(now, j.Job)},
		{"answer", join(" · ", cells.Clean(j.Class), cells.Clean(j.Item), cachedWord(j.Cached))},
		{"task", task},
		{"worker", cells.Clean(j.Worker)},
		{"lease", lease},
		{"user", idText(j.User)},
		{"request", cells.Clean(j.RequestID)},
	})
}

// facts are in two columns where there is room.
func (m *model) facts(list []fact) []string {
	columns := 1
	if m.width >= wide {
		columns = 2
	}
	width := (m.width - 1) / columns
	var lines []string
	for _, f := range list {
		if f.text == "" {
			continue
		}
		label := " " + m.paint.faint.of(cells.Fit(f.label, labelWidth))
		lines = append(lines, label+cells.Cut(f.text, width-labelWidth-2))
	}
	if columns == 1 {
		return lines
	}
	half := (len(lines) + 1) / 2
	return beside([][]string{lines[:half], lines[half:]}, width)
}

func parens(text string) string {
	if text == "" {
		return ""
	}
	return "(" + text + ")"
}

func times(tries int) string {
	if tries == 0 {
		return ""
	}
	return "this stage failed " + plural(tries, "time")
}

func when(now time.Time, t *time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	layout := time.TimeOnly
	if now.Sub(*t) >= 12*time.Hour {
		layout = time.DateTime
	}
	return t.In(now.Location()).Format(layout) + ", " + cells.Elapsed(now.Sub(*t)) + " ago"
}

func cachedWord(cached bool) string {
	if cached {
		return "from the cache"
	}
	return ""
}

func idText(id uuid.UUID) string {
	if id.IsNil() {
		return ""
	}
	return id.String()
}

func (m *model) section(title string) []string {
	return []string{"", " " + m.paint.bold.of(title)}
}

// detailErrors is why it failed, and what its task said last.
func (m *model) detailErrors() []string {
	j := m.detail.job
	var lines []string
	if e := j.Error; e != nil {
		text := join(": ", cells.Clean(e.Title), cells.Clean(e.Detail)) + " " + parens(cells.Clean(e.Code))
		lines = append(lines, m.paragraph(text, m.paint.bad)...)
	}
	if j.LastError != "" {
		lines = append(lines, m.paragraph("Its task said last: "+cells.Clean(j.LastError), m.paint.warn)...)
	}
	if len(lines) == 0 {
		return nil
	}
	return append(m.section("Error"), lines...)
}

func (m *model) paragraph(text string, k ink) []string {
	lines := wrap(text, m.width-4)
	for i := range lines {
		lines[i] = "   " + k.of(lines[i])
	}
	return lines
}

// detailSteps are the stages of all attempts over the time that they took.
func (m *model) detailSteps() []string {
	steps := m.detail.job.Steps
	if len(steps) == 0 {
		return nil
	}
	now := m.at()
	first, last := steps[0].StartedAt, steps[0].StartedAt
	for _, s := range steps {
		if s.StartedAt.Before(first) {
			first = s.StartedAt
		}
		if end := stepEnd(s, now); end.After(last) {
			last = end
		}
	}
	lines := m.section("Steps")
	for i, s := range steps {
		attempt := ""
		if i == 0 || s.Attempt != steps[i-1].Attempt {
			attempt = fmt.Sprintf("%d", s.Attempt)
		}
		lines = append(lines, m.stepLine(s, attempt, first, last))
		if s.Error != nil {
			text := join(": ", cells.Clean(s.Error.Title), cells.Clean(s.Error.Detail))
			lines = append(lines, cells.Spaces(6)+m.paint.bad.of(cells.Cut("✗ "+text, m.width-7)))
		}
	}
	return lines
}

func stepEnd(s monitor.Step, now time.Time) time.Time {
	if s.EndedAt != nil {
		return *s.EndedAt
	}
	return now
}

const (
	stageWidth  = 9
	tookWidth   = 7
	workerWidth = 18
)

// stepLine is one bar of the waterfall.
func (m *model) stepLine(s monitor.Step, attempt string, first, last time.Time) string {
	p, end := m.paint, stepEnd(s, m.at())
	k, mark := p.good, "✓"
	switch {
	case s.Error != nil:
		k, mark = p.bad, "✗"
	case s.EndedAt == nil:
		k, mark = p.accent, "▸"
	}
	worker := ""
	width := m.width - 3 - 3 - stageWidth - 4 - tookWidth - 2
	if m.width >= 76 && s.Worker != "" {
		worker = "  " + p.faint.of(cells.Fit(cells.Clean(s.Worker), workerWidth))
		width -= workerWidth + 2
	}
	return "   " + cells.Fit(attempt, 2) + k.of(mark) + " " + cells.Fit(string(s.Stage), stageWidth) + " " +
		fall(p, k, max(width, 4), s.StartedAt.Sub(first), end.Sub(first), last.Sub(first)) + " " +
		cells.FitRight(short(end.Sub(s.StartedAt)), tookWidth) + worker
}

// fall is a bar from one moment to another on a line that stands for all the time.
func fall(p paint, k ink, width int, from, to, all time.Duration) string {
	place := func(d time.Duration) int {
		if all <= 0 {
			return 0
		}
		return int(int64(d) * int64(width) / int64(all))
	}
	start := min(place(from), width-1)
	long := max(min(place(to), width)-start, 1)
	return p.faint.of(strings.Repeat("·", start)) + k.of(strings.Repeat("█", long)) +
		p.faint.of(strings.Repeat("·", width-start-long))
}

func (m *model) detailPhoto() []string {
	photo := m.detail.job.Photo
	if photo == nil {
		return nil
	}
	size := ""
	if photo.Width > 0 {
		size = fmt.Sprintf("%d × %d", photo.Width, photo.Height)
	}
	facts := m.facts([]fact{
		{"photo", join(" · ", cells.Clean(photo.ContentType), size, byteCount(photo.Size))},
		{"sha256", cells.Clean(photo.SHA256)},
	})
	return append(m.section("Photo"), facts...)
}

func (m *model) detailJSON(title string, raw json.RawMessage) []string {
	var indented bytes.Buffer
	if len(raw) == 0 || json.Indent(&indented, raw, "", "  ") != nil {
		return nil
	}
	lines := m.section(title)
	for line := range strings.Lines(indented.String()) {
		indent := len(line) - len(strings.TrimLeft(line, " "))
		text := cells.Clean(line)
		for i, part := range wrap(text, m.width-5-indent) {
			if i > 0 {
				part = strings.TrimSpace(part)
			}
			lines = append(lines, "   "+cells.Spaces(indent)+m.jsonInk(part))
		}
	}
	return lines
}

// jsonInk tells a name from what it has.
func (m *model) jsonInk(line string) string {
	name, value, ok := strings.Cut(line, `": `)
	if !ok || !strings.HasPrefix(name, `"`) {
		return line
	}
	return m.paint.accent.of(name+`"`) + ": " + value
}
