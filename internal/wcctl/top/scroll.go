package top

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"charm.land/bubbles/v2/key"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// scroll is how far a text is scrolled.
type scroll struct{ top int }

// scrollBy moves the text that is in front.
func (m *model) scrollBy(by int) {
	switch {
	case m.help != nil:
		*m.help = m.clampScroll(scroll{m.help.top + by})
	case m.detail != nil:
		m.detail.scroll = m.clampScroll(scroll{m.detail.scroll.top + by})
	}
}

func (m *model) clampScroll(s scroll) scroll {
	n := 0
	switch {
	case m.help != nil:
		n = len(m.helpLines())
	case m.detail != nil:
		n = len(m.detailLines())
	}
	return scroll{max(0, min(s.top, n-m.bodyHeight()))}
}

// scrolled are the lines that are seen, with a mark where there are more.
func (m *model) scrolled(lines []string, top, height int) pane {
	out := pane{}
	top = max(0, min(top, len(lines)-height))
	out.add(lines[top:min(top+height, len(lines))]...)
	if below := len(lines) - top - height; below > 0 && height > 1 {
		last := len(out.lines) - 1
		mark := m.paint.faint.of("▼ " + plural(below, "line"))
		room := m.width - cells.Width(mark) - 2
		out.lines[last] = cells.Fit(out.lines[last], room) + " " + mark
	}
	return out
}

// wrap breaks a text into lines of at most width columns.
func wrap(text string, width int) []string {
	return strings.Split(ansi.Wrap(text, max(width, 1), ""), "\n")
}

func (m *model) toggleHelp() {
	if m.help != nil {
		m.help = nil
		return
	}
	m.help = &scroll{}
}

const helpKeyWidth = 8

// helpLines are the keys in as many columns as there is room for.
func (m *model) helpLines() []string {
	groups := m.keys.groups(m.readOnly)
	columns := max(1, min(3, m.width/helpColumn))
	blocks := make([][]string, columns)
	for _, g := range groups {
		shortest := 0
		for i := range blocks {
			if len(blocks[i]) < len(blocks[shortest]) {
				shortest = i
			}
		}
		blocks[shortest] = append(blocks[shortest], m.helpGroup(g)...)
	}
	return beside(blocks, m.width/columns)
}

const helpColumn = 40

func (m *model) helpGroup(g group) []string {
	lines := []string{" " + m.paint.bold.of(g.title)}
	for _, b := range g.keys {
		lines = append(lines, helpLine(m.paint, b))
	}
	return append(lines, "")
}

func helpLine(p paint, b key.Binding) string {
	return "  " + p.key.of(cells.Fit(b.Help().Key, helpKeyWidth)) + " " + b.Help().Desc
}

// beside puts blocks of lines beside each other, each width columns wide.
func beside(blocks [][]string, width int) []string {
	height := 0
	for _, block := range blocks {
		height = max(height, len(block))
	}
	lines := make([]string, height)
	for i := range lines {
		var b strings.Builder
		for _, block := range blocks {
			line := ""
			if i < len(block) {
				line = block[i]
			}
			b.WriteString(cells.Fit(line, width))
		}
		lines[i] = b.String()
	}
	return lines
}
