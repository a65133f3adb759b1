package top

import (
	"fmt"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

var queueColumns = []column{
	{title: "QUEUE", width: 9, grow: 8},
	{title: "STATE", width: 7, rank: 3},
	{title: "PENDING", width: 7, right: true},
	{title: "ACTIVE", width: 6, right: true},
	{title: "SCHED", width: 5, right: true, rank: 4},
	{title: "RETRY", width: 5, right: true, rank: 2},
	{title: "ARCH", width: 6, right: true, rank: 5},
	{title: "DONE", width: 9, right: true, rank: 6},
	{title: "ORPHANS", width: 7, right: true, rank: 9},
	{title: "OLDEST", width: 6, right: true, rank: 7},
	{title: "WAIT 50/95%", width: 12, right: true, rank: 8},
	{title: "RUN 50/95%", width: 12, right: true, rank: 8},
	{title: "RATE", width: 7, right: true, rank: 1},
	{title: "LAST MINUTE", width: 11, grow: 49, rank: 10},
}

func (m *model) queues() []monitor.Queue {
	var list []monitor.Queue
	for _, q := range m.feed.picture.Queues {
		if matches(m.lists[queues].filter, q.Name) {
			list = append(list, q)
		}
	}
	return list
}

func (m *model) drawQueues(out *pane, height int) {
	list := m.queues()
	if len(list) == 0 {
		out.add(m.nothing("No queues yet: they appear with the first task.", len(m.feed.picture.Queues))...)
		return
	}
	rows := m.rows()
	panel := m.panelHeight(height-1, len(rows))
	t := table{queueColumns, func(i int) []cell { return m.queueCells(list[i]) }}
	t.draw(out, m.paint, *m.list(), rows, m.width, height-panel)
	if panel > 0 {
		m.drawPanel(out, height, panel, m.queuePanel(list[m.list().index], panel))
	}
}

const (
	leastPanel = 9
	mostPanel  = 16
	// textPanel is a rule and two lines.
	textPanel = 3
)

// panelHeight is what a view shows below its list where there is room.
func (m *model) panelHeight(room, rows int) int {
	left := room - rows
	switch m.view {
	case queues:
		if left >= leastPanel {
			return min(left, mostPanel)
		}
	case cluster:
		return min(len(m.clusterPanel()), room/2)
	case services, events:
		if m.height >= tall && rows > 0 {
			return textPanel
		}
	case overview, jobs, workers, viewCount:
	}
	return 0
}

// drawPanel puts lines at the bottom of a view that has drawn rows, on its last height lines.
func (m *model) drawPanel(out *pane, room, height int, lines []string) {
	if height == 0 {
		return
	}
	for range room - height - len(out.lines) + len(m.above()) {
		out.add("")
	}
	out.add(lines[:min(len(lines), height)]...)
}

// textLines tells the whole of a text that a row has no room for.
func (m *model) textLines(title, text string) []string {
	return append([]string{m.heading(title, m.width)}, m.paragraph(text, "")...)
}

// warned is a number that is bad where it is not 0.
func (p paint) warned(n int64) cell {
	if n == 0 {
		return cell{text: "0", ink: p.faint}
	}
	return cell{text: count(n), ink: p.warn}
}

func (m *model) queueCells(q monitor.Queue) []cell {
	p := m.paint
	state := cell{text: "running", ink: p.good}
	if q.Paused {
		state = cell{text: "paused", ink: p.warn}
	}
	h := m.feed.rates[q.Name]
	return []cell{
		{text: cells.Clean(q.Name), ink: p.bold},
		state,
		{text: count(q.Pending)},
		{text: count(q.Active)},
		{text: count(q.Scheduled)},
		p.warned(q.Retry),
		p.warned(q.Archived),
		{text: count(q.Completed), ink: p.faint},
		p.warned(q.Orphans),
		{text: short(q.Oldest)},
		{text: latency(q.Wait)},
		{text: latency(q.Run)},
		{text: m.rateText(h)},
		{draw: func(width int) string {
			return p.accent.of(spark(h.last(m.at(), width), width, 1)[0])
		}},
	}
}

func latency(l monitor.Latency) string {
	if l.P50 == 0 && l.P95 == 0 {
		return "–"
	}
	return short(l.P50) + "/" + short(l.P95)
}

func (m *model) rateText(h *history) string {
	rate, known := h.rate(m.at())
	if !known {
		return "–"
	}
	return perSecond(rate)
}

// queuePanel tells all of one queue.
func (m *model) queuePanel(q monitor.Queue, height int) []string {
	p, h := m.paint, m.feed.rates[q.Name]
	state := "running"
	if q.Paused {
		state = "paused"
	}
	lines := []string{
		m.heading(cells.Clean(q.Name)+", "+state, m.width),
		m.pairs(fact{"pending", count(q.Pending)}, fact{"active", count(q.Active)},
			fact{"scheduled", count(q.Scheduled)}, fact{"retry", count(q.Retry)}),
		m.pairs(fact{"archived", count(q.Archived)}, fact{"completed", count(q.Completed)},
			fact{"orphans", count(q.Orphans)}, fact{"oldest waits", short(q.Oldest)}),
		m.pairs(fact{"waits 50%", short(q.Wait.P50)}, fact{"95%", short(q.Wait.P95)},
			fact{"runs 50%", short(q.Run.P50)}, fact{"95%", short(q.Run.P95)}),
	}
	width := m.width - 4
	rates := h.last(m.at(), min(width, buckets-1))
	peak := 0.0
	for _, r := range rates {
		peak = max(peak, r)
	}
	rows := height - len(lines) - 2
	title := fmt.Sprintf("tasks of the last %ds, at most %s, now %s", len(rates), perSecond(peak), m.rateText(h))
	lines = append(lines, "", " "+p.faint.of(cells.Cut(title, m.width-2)))
	for _, line := range spark(rates, min(width, buckets-1), max(rows, 1)) {
		lines = append(lines, "  "+p.accent.of(line))
	}
	return lines[:min(len(lines), height)]
}

// pairs are labels and values in columns.
func (m *model) pairs(list ...fact) string {
	width := (m.width - 2) / len(list)
	line := " "
	for _, f := range list {
		line += cells.Fit(m.paint.faint.of(f.label)+" "+f.text, width)
	}
	return line
}

// nothing helps where a view is empty: all is its size without a search.
func (m *model) nothing(text string, all int) []string {
	if m.unread(parts[m.view]) {
		return nil // what is wrong stands above
	}
	if all > 0 {
		text = "Nothing is like that. Esc shows all again."
	}
	lines := []string{""}
	for _, line := range wrap(text, m.width-6) {
		lines = append(lines, "   "+line)
	}
	return lines
}
