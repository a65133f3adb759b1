package top

import (
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// column is a table's column: at least width columns of the terminal, at most grow more.
type column struct {
	title string
	width int
	grow  int
	right bool
	// rank tells which columns leave first where there is no room: the highest. 0 stays.
	rank int
}

// unbounded is a growth that takes all that is left.
const unbounded = 1 << 16

// cell is one entry; draw, where it is set, fills the column instead of text.
type cell struct {
	text string
	ink  ink
	draw func(width int) string
}

type table struct {
	columns []column
	row     func(i int) []cell
}

const (
	// markWidth is what the cursor and the mark take before a row.
	markWidth = 3
	// edge is left free at the right.
	edge   = 1
	narrow = 60
)

func gap(width int) int {
	if width < narrow {
		return 1
	}
	return 2
}

// fit says how wide each column is, 0 for those that have to leave.
func (t table) fit(width int) []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = c.width
	}
	free := func() int {
		n := width - markWidth - edge + gap(width)
		for _, w := range widths {
			if w > 0 {
				n -= w + gap(width)
			}
		}
		return n
	}
	for free() < 0 {
		leaver := 0
		for i, c := range t.columns {
			if widths[i] > 0 && c.rank >= t.columns[leaver].rank {
				leaver = i
			}
		}
		if t.columns[leaver].rank == 0 {
			break
		}
		widths[leaver] = 0
	}
	return t.spread(widths, free())
}

// enoughText is what a column without a bound gets before the others grow.
const enoughText = 24

// spread hands out what is left: to the texts what they need at least, to those with a bound, and the
// rest to the texts.
func (t table) spread(widths []int, left int) []int {
	for _, round := range []struct {
		bounded bool
		most    int
	}{{false, enoughText}, {true, unbounded}, {false, unbounded}} {
		for i, c := range t.columns {
			if widths[i] == 0 || (c.grow < unbounded) != round.bounded || left <= 0 {
				continue
			}
			more := min(c.grow, left, round.most)
			widths[i] += more
			left -= more
		}
	}
	return widths
}

func (t table) heading(p paint, width int, widths []int) string {
	titles := make([]cell, len(t.columns))
	for i, c := range t.columns {
		titles[i] = cell{text: c.title, ink: p.faint}
	}
	return t.line(titles, width, widths)
}

func (t table) line(row []cell, width int, widths []int) string {
	var b strings.Builder
	first := true
	for i, c := range row {
		w := widths[i]
		if w == 0 {
			continue
		}
		if !first {
			b.WriteString(cells.Spaces(gap(width)))
		}
		first = false
		switch {
		case c.draw != nil:
			b.WriteString(c.draw(w))
		case t.columns[i].right:
			b.WriteString(c.ink.of(cells.FitRight(c.text, w)))
		default:
			b.WriteString(c.ink.of(cells.Fit(c.text, w)))
		}
	}
	return b.String()
}

// pane is lines of a screen; rows tells which row of the view's list a line is, by its number.
type pane struct {
	lines []string
	rows  map[int]int
}

func (p *pane) add(lines ...string) { p.lines = append(p.lines, lines...) }

func (p *pane) addRow(line string, row int) {
	if p.rows == nil {
		p.rows = map[int]int{}
	}
	p.rows[len(p.lines)] = row
	p.lines = append(p.lines, line)
}

// draw adds the table's heading and those of its rows that l shows on height lines.
func (t table) draw(out *pane, p paint, l list, keys []string, width, height int) {
	widths := t.fit(width)
	out.add(cells.Spaces(markWidth) + t.heading(p, width, widths))
	from, to := l.window(len(keys), height-1)
	for i := from; i < to; i++ {
		chosen := i == l.index
		line := l.mark(p, keys[i], chosen) + t.line(t.row(i), width, widths)
		out.addRow(p.row(line, chosen, width), i)
	}
}
