package top

import (
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

var eventColumns = []column{
	{title: "TIME", width: 8},
	{title: "WHAT", width: 12, grow: 4},
	{title: "OF", width: idWidth, grow: 10, rank: 1},
	{title: "MESSAGE", width: 12, grow: unbounded},
	{title: "BY", width: 8, grow: 8, rank: 2},
}

func (m *model) events() []monitor.Event {
	var list []monitor.Event
	for _, e := range m.feed.picture.Events {
		if matches(m.lists[events].filter, e.Kind, e.Subject, e.Message, e.Actor) {
			list = append(list, e)
		}
	}
	return list
}

func eventKey(e monitor.Event) string {
	return e.At.Format(time.RFC3339Nano) + e.Kind + e.Subject
}

func (m *model) drawEvents(out *pane, height int) {
	list := m.events()
	if len(list) == 0 {
		out.add(m.nothing("Nothing has happened yet: failures, operators' actions and workers that "+
			"come or go are told here.", len(m.feed.picture.Events))...)
		return
	}
	t := table{eventColumns, func(i int) []cell { return m.eventCells(list[i]) }}
	rows := m.rows()
	panel := m.panelHeight(height-1, len(rows))
	t.draw(out, m.paint, *m.list(), rows, m.width, height-panel)
	e := list[m.list().index]
	title := join(" ", cells.Clean(e.Kind), cells.Clean(e.Subject))
	text := join(", ", cells.Clean(e.Message), join(" ", "by", cells.Clean(e.Actor)))
	m.drawPanel(out, height, panel, m.textLines(title, strings.TrimSuffix(text, ", by")))
}

func (m *model) eventCells(e monitor.Event) []cell {
	p := m.paint
	what := cell{text: cells.Clean(e.Kind), ink: p.accent}
	if e.Bad {
		what.ink = p.bad
	}
	return []cell{
		{text: clockTime(m.at(), e.At), ink: p.faint},
		what,
		{text: shortSubject(e.Subject)},
		{text: cells.Clean(e.Message)},
		{text: cells.Clean(e.Actor), ink: p.faint},
	}
}

// clockTime is the time of today, else the date.
func clockTime(now, t time.Time) string {
	t = t.In(now.Location())
	if now.Sub(t) >= 12*time.Hour {
		return t.Format("02 Jan")
	}
	return t.Format(time.TimeOnly)
}

// rows are the keys of what can be chosen in the view, in order.
func (m *model) rows() []string {
	switch m.view {
	case overview:
		return collect(m.overviewRows(), func(r overviewRow) string { return r.key })
	case jobs:
		return collect(m.feed.picture.Jobs.Items, func(j monitor.Job) string { return j.ID.String() })
	case queues:
		return collect(m.queues(), func(q monitor.Queue) string { return q.Name })
	case workers:
		return collect(m.workerRows(), workerRow.key)
	case services:
		return collect(m.services(), func(s monitor.Service) string { return s.Name })
	case cluster:
		return collect(m.nodes(), func(n monitor.Node) string { return n.Name })
	case events:
		return collect(m.events(), eventKey)
	case viewCount:
	}
	return nil
}

func collect[T any](list []T, key func(T) string) []string {
	keys := make([]string, len(list))
	for i, v := range list {
		keys[i] = key(v)
	}
	return keys
}

// eventLine is an event where there is no table.
func (m *model) eventLine(e monitor.Event, width int) string {
	p := m.paint
	k := p.accent
	if e.Bad {
		k = p.bad
	}
	text := join(" ", shortSubject(e.Subject), cells.Clean(e.Message))
	if e.Actor != "" {
		text += " " + parens("by "+cells.Clean(e.Actor))
	}
	what, _, _ := strings.Cut(cells.Clean(e.Kind), " ")
	return cells.Cut(p.faint.of(clockTime(m.at(), e.At))+" "+k.of(cells.Fit(what, 13))+" "+text, width)
}
