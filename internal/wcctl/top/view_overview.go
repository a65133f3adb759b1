package top

import (
	"fmt"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// overviewRow is a line that leads somewhere: to a job, or to a view.
type overviewRow struct {
	key  string
	job  uuid.UUID
	to   view
	only jobFilter
	draw func(width int) string
}

// blocks are the rows of the overview's parts, as many as there is room for.
type blocks struct{ attention, running, latest []overviewRow }

func (b blocks) all() []overviewRow {
	return append(append(append([]overviewRow(nil), b.attention...), b.running...), b.latest...)
}

func (m *model) overviewRows() []overviewRow { return m.blocks().all() }

// blocks shares out the room below the summary.
func (m *model) blocks() blocks {
	b := blocks{m.attentionRows(), m.runningRows(), m.latestRows()}
	room := m.bodyHeight() - len(m.above()) - len(m.summary())
	b.attention = b.attention[:min(len(b.attention), max(room/3, min(room-1, 3), 0))]
	room -= 1 + max(len(b.attention), 1)
	if m.width >= wide {
		b.running = b.running[:min(len(b.running), max(room-1, 0))]
		b.latest = b.latest[:min(len(b.latest), max(room-1, 0))]
		return b
	}
	b.running = b.running[:min(len(b.running), max(room*2/3-1, min(room-1, 1), 0))]
	room -= 1 + max(len(b.running), 1)
	b.latest = b.latest[:min(len(b.latest), max(room-1, 0))]
	return b
}

func (m *model) attentionRows() []overviewRow {
	var rows []overviewRow
	for _, a := range m.alerts() {
		k, mark := m.paint.warn, "·"
		if a.bad {
			k, mark = m.paint.bad, "!"
		}
		rows = append(rows, overviewRow{
			key: "attention " + a.text, to: a.to, only: a.only,
			draw: func(width int) string { return k.of(cells.Cut(mark+" "+capital(a.text), width)) },
		})
	}
	return rows
}

var overviewJobColumns = []column{jobColumns[0], jobColumns[1], jobColumns[2], jobColumns[4], jobColumns[5]}

func (m *model) runningRows() []overviewRow {
	var rows []overviewRow
	for _, j := range m.feed.picture.Jobs.Items {
		if j.Status != job.Processing {
			continue
		}
		rows = append(rows, overviewRow{key: "job " + j.ID.String(), job: j.ID, draw: func(width int) string {
			t := table{columns: overviewJobColumns}
			all := m.jobCells(j)
			width += markWidth
			return t.line([]cell{all[0], all[1], all[2], all[4], all[5]}, width, t.fit(width))
		}})
	}
	return rows
}

func (m *model) latestRows() []overviewRow {
	var rows []overviewRow
	for _, e := range m.feed.picture.Events {
		rows = append(rows, overviewRow{
			key: "event " + eventKey(e), job: uuid.FromStringOrNil(e.Subject), to: events,
			draw: func(width int) string { return m.eventLine(e, width) },
		})
	}
	return rows
}

const notRead = "not read"

func (m *model) drawOverview(out *pane, height int) {
	out.add(m.summary()...)
	b, l := m.blocks(), m.lists[overview]
	at := 0
	section := func(title, none string, rows []overviewRow, width int) pane {
		var p pane
		p.add(m.heading(title, width))
		for _, r := range rows {
			chosen := at == l.index
			p.addRow(m.paint.row(l.mark(m.paint, r.key, chosen)+r.draw(width-markWidth-1), chosen, width), at)
			at++
		}
		if len(rows) == 0 && none != "" {
			p.add("   " + none)
		}
		return p
	}
	out.append(section("Needs attention", m.paint.good.of("✓ nothing"), b.attention, m.width))
	room := height - len(m.summary()) - 1 - max(len(b.attention), 1)
	if room < 2 {
		return
	}
	noJob, noEvent := m.paint.faint.of("no job"), m.paint.faint.of("none yet")
	if m.unread(monitor.Jobs) {
		noJob = m.paint.faint.of(notRead)
	}
	if m.unread(monitor.Events) {
		noEvent = m.paint.faint.of(notRead)
	}
	if m.width < wide {
		out.append(section("Running now", noJob, b.running, m.width))
		if room-1-max(len(b.running), 1) >= 2 {
			out.append(section("Latest events", noEvent, b.latest, m.width))
		}
		return
	}
	half := m.width / 2
	left := section("Running now", noJob, b.running, half)
	right := section("Latest events", noEvent, b.latest, m.width-half)
	lines := beside([][]string{left.lines, right.lines}, half)
	left.lines = lines
	out.append(left)
}

// append adds another pane below.
func (p *pane) append(other pane) {
	for i, line := range other.lines {
		if row, ok := other.rows[i]; ok {
			p.addRow(line, row)
		} else {
			p.add(line)
		}
	}
}

func (m *model) heading(title string, width int) string {
	p := m.paint
	title = cells.Cut(title, width-5)
	return p.faint.of("── ") + p.bold.of(title) + " " +
		p.faint.of(strings.Repeat("─", max(width-cells.Width(title)-5, 0))) + " "
}

// summary is a line for each part; where there is little room, only what changes fast.
func (m *model) summary() []string {
	p := m.feed.picture
	width := m.width - m.labelWidth() - 2
	// What was not read is not none.
	line := func(label string, part monitor.Part, text string) string {
		if m.unread(part) {
			text = m.paint.faint.of(notRead)
		}
		return m.labeled(label, text)
	}
	lines := []string{line("jobs", monitor.Jobs, m.jobsLine("", width))}
	workers := line("workers", monitor.Workers, m.workersLine(width))
	if m.bodyHeight() < 12 {
		return append(lines, workers)
	}
	lines = append(lines, line("24 hours", monitor.Jobs, m.dayLine(width)))
	for _, q := range p.Queues {
		lines = append(lines, m.labeled(cells.Clean(q.Name), m.queueLine(q, width)))
	}
	lines = append(lines, workers, line("services", monitor.Services, m.servicesLine()))
	if p.Cluster != nil {
		lines = append(lines, m.clusterFacts(*p.Cluster, m.at()))
	}
	return lines
}

func (m *model) labelWidth() int {
	if m.width < narrow {
		return 9
	}
	return labelWidth
}

func (m *model) labeled(label, text string) string {
	if text == "" {
		text = m.paint.faint.of("none yet")
	}
	return " " + m.paint.faint.of(cells.Fit(label, m.labelWidth())) + text
}

func (m *model) dayLine(width int) string {
	p, day := m.paint, m.feed.picture.Jobs.Last24h
	all := day.Succeeded + day.Failed
	if all == 0 {
		return p.faint.of("nothing has ended")
	}
	list := []string{
		fmt.Sprintf("%s of %s succeeded", p.good.of(percent(float64(day.Succeeded)/float64(all))), count(all)),
	}
	if day.Failed > 0 {
		list = append(list, p.bad.of(count(day.Failed))+" failed")
	}
	if day.Succeeded > 0 {
		share := percent(float64(day.Cached) / float64(day.Succeeded))
		list = append(list, p.accent.of(share)+" answered from the cache")
	}
	return p.parts(width, list...)
}

func (m *model) queueLine(q monitor.Queue, width int) string {
	p, h := m.paint, m.feed.rates[q.Name]
	const sparkWidth = 12
	list := []string{
		count(q.Pending) + p.faint.of(" pending"), count(q.Active) + p.faint.of(" active"),
	}
	if q.Paused {
		list = append([]string{p.warn.of("paused")}, list...)
	}
	if n := q.Retry + q.Scheduled; n > 0 {
		list = append(list, p.warn.of(count(n))+p.faint.of(" wait for their time"))
	}
	list = append(list,
		m.rateText(h)+" "+p.accent.of(strings.TrimLeft(spark(h.last(m.at(), sparkWidth), sparkWidth, 1)[0], " ")),
		p.faint.of("waits ")+latency(q.Wait), p.faint.of("runs ")+latency(q.Run))
	return p.parts(width, list...)
}

func (m *model) workersLine(width int) string {
	p := m.paint
	busy, slots := 0, 0
	for _, w := range m.feed.picture.Workers {
		busy += len(w.Running)
		slots += w.Concurrency
	}
	n := len(m.feed.picture.Workers)
	if n == 0 {
		return p.bad.of("none")
	}
	barWidth := 12
	if m.width < narrow {
		barWidth = 8
	}
	return p.parts(width, fmt.Sprintf("%d of %d slots busy ", busy, slots)+
		p.bar(100*busy/max(slots, 1), barWidth, p.accent), plural(n, "worker"))
}

func (m *model) servicesLine() string {
	p := m.paint
	ready, replicas, rate := 0, 0, 0.0
	for _, s := range m.feed.picture.Services {
		ready += s.Ready
		replicas += s.Replicas
		rate += s.Rate
	}
	k := p.good
	if ready < replicas || replicas == 0 {
		k = p.bad
	}
	return k.of(fmt.Sprintf("%d of %d", ready, replicas)) + " replicas ready · " + perSecond(rate)
}
