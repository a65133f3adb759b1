package top

import (
	"fmt"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

var serviceColumns = []column{
	{title: "SERVICE", width: 16, grow: 6},
	{title: "READY", width: 7, right: true},
	{title: "RATE", width: 7, right: true},
	{title: "ERRORS", width: 6, right: true, rank: 1},
	{title: "P95", width: 6, right: true, rank: 2},
	{title: "VERSION", width: 8, grow: 16, rank: 3},
	{title: "WHY NOT READY", width: 13, grow: unbounded, rank: 4},
}

func (m *model) services() []monitor.Service {
	var list []monitor.Service
	for _, s := range m.feed.picture.Services {
		if matches(m.lists[services].filter, append([]string{s.Name, s.Why}, s.Versions...)...) {
			list = append(list, s)
		}
	}
	return list
}

func (m *model) drawServices(out *pane, height int) {
	list := m.services()
	if len(list) == 0 {
		out.add(m.nothing("No service runs.", len(m.feed.picture.Services))...)
		return
	}
	t := table{serviceColumns, func(i int) []cell { return m.serviceCells(list[i]) }}
	rows := m.rows()
	panel := m.panelHeight(height-1, len(rows))
	t.draw(out, m.paint, *m.list(), rows, m.width, height-panel)
	s := list[m.list().index]
	text := join(", ", fmt.Sprintf("%d of %d ready", s.Ready, s.Replicas), cells.Clean(strings.Join(s.Versions, " → ")))
	m.drawPanel(out, height, panel, m.textLines(cells.Clean(s.Name), join(": ", text, cells.Clean(s.Why))))
}

// badErrors is the share of failed requests from which on it is told in red.
const badErrors = 0.01

func (m *model) serviceCells(s monitor.Service) []cell {
	p := m.paint
	ready := cell{text: fmt.Sprintf("✓ %d/%d", s.Ready, s.Replicas), ink: p.good}
	if s.Ready < s.Replicas || s.Replicas == 0 {
		ready = cell{text: fmt.Sprintf("✗ %d/%d", s.Ready, s.Replicas), ink: p.bad}
	}
	failing := cell{text: percent(s.Errors), ink: p.faint}
	if s.Errors >= badErrors {
		failing.ink = p.bad
	}
	version := cell{text: cells.Clean(strings.Join(s.Versions, " → ")), ink: p.faint}
	if len(s.Versions) > 1 {
		version.ink = p.warn
	}
	return []cell{
		{text: cells.Clean(s.Name), ink: p.bold},
		ready,
		{text: perSecond(s.Rate)},
		failing,
		{text: short(s.P95)},
		version,
		{text: cells.Clean(s.Why), ink: p.bad},
	}
}
