package runview

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

const (
	maxName   = 28
	rightEdge = 8
	// shownWarnings is how many are on a screen that has room.
	shownWarnings = 3
)

// paint colors a screen; the plain one leaves text alone.
type paint struct{ bold, faint, good, warn, bad func(...string) string }

func newPaint(colored bool) paint {
	if !colored {
		plain := func(s ...string) string { return strings.Join(s, " ") }
		return paint{plain, plain, plain, plain, plain}
	}
	style := lipgloss.NewStyle()
	return paint{
		bold:  style.Bold(true).Render,
		faint: style.Faint(true).Render,
		good:  style.Foreground(lipgloss.Color("2")).Render,
		warn:  style.Bold(true).Foreground(lipgloss.Color("3")).Render,
		bad:   style.Bold(true).Foreground(lipgloss.Color("1")).Render,
	}
}

// draw is the board on a screen of width columns and at most height rows.
func (b *board) draw(now time.Time, width, height int, p paint) []string {
	head := b.header(now, width, p)
	phases, at := b.phaseLines(now, width, p)
	hosts := b.hostLines(now, width, p)
	warnings := b.warningLines(width, p)
	room := height - len(head) - len(phases)
	warnings = warnings[max(0, len(warnings)-min(shownWarnings, max(0, room-len(hosts)-1))):]
	if len(warnings) > 0 {
		warnings = append([]string{""}, warnings...)
	}
	hosts = shorten(hosts, max(0, room-len(warnings)), width, p)
	body := slices.Concat(phases[:at], hosts, phases[at:], warnings)
	return last(slices.Concat(head, body), height)
}

// last keeps what a tiny screen can show.
func last(lines []string, height int) []string { return lines[max(0, len(lines)-max(height, 1)):] }

func shorten(lines []string, room, width int, p paint) []string {
	if len(lines) <= room {
		return lines
	}
	if room == 0 {
		return nil
	}
	more := fmt.Sprintf("     … and %d more machines", len(lines)-room+1)
	return append(slices.Clone(lines[:room-1]), p.faint(cells.Fit(more, width)))
}

func (b *board) header(now time.Time, width int, p paint) []string {
	right := fmt.Sprintf("%d of %d · %s", b.ready(), len(b.phases), cells.Elapsed(now.Sub(b.start)))
	room := width - cells.Width(right) - 1
	if room < 1 {
		return []string{p.bold(cells.Fit(right, width))}
	}
	return []string{p.bold(cells.Fit(b.title, room)) + " " + right, ""}
}

// phaseLines are all phases; at is the line behind the one that runs or failed.
func (b *board) phaseLines(now time.Time, width int, p paint) (lines []string, at int) {
	widest := 0
	for _, row := range b.phases {
		widest = max(widest, cells.Width(row.Name))
	}
	for i, row := range b.phases {
		mark, style := look(row.state, p)
		took := ""
		switch row.state {
		case running:
			took = cells.Elapsed(now.Sub(row.since))
		case done, failed:
			took = cells.Elapsed(row.took)
		case waiting, skipped:
		}
		if row.state == running || row.state == failed {
			at = i + 1
		}
		lines = append(lines, style(line(" "+mark+" "+cells.Fit(row.Name, widest), b.about(row), took, width)))
	}
	return lines, at
}

func (b *board) about(row phaseRow) string {
	switch {
	case row.state == failed && row.text != "":
		return row.text
	case row.state == skipped:
		return row.Title + " (" + nothing(row.text) + ")"
	case row.state == running && len(b.hosts) == 0 && b.task != "":
		return row.Title + ": " + b.task
	}
	return row.Title
}

func look(s state, p paint) (mark string, style func(...string) string) {
	switch s {
	case running:
		return "▸", p.bold
	case done:
		return "✓", p.good
	case skipped:
		return "-", p.faint
	case failed:
		return "✗", p.bad
	case waiting:
	}
	return "·", p.faint
}

func (b *board) hostLines(now time.Time, width int, p paint) []string {
	widest := 0
	for _, h := range b.hosts {
		widest = max(widest, cells.Width(h.name))
	}
	widest = min(widest, maxName, max(width/3, 1))
	lines := make([]string, len(b.hosts))
	for i, h := range b.hosts {
		took, style := "", p.faint
		switch {
		case h.failed:
			style = p.bad
		case h.busy:
			took, style = cells.Elapsed(now.Sub(h.since)), func(s ...string) string { return strings.Join(s, " ") }
		}
		lines[i] = style(line("     "+cells.Fit(h.name, widest), h.task, took, width))
	}
	return lines
}

func (b *board) warningLines(width int, p paint) []string {
	lines := make([]string, len(b.warnings))
	for i, w := range b.warnings {
		lines[i] = p.warn(cells.Fit(" ! "+w, width))
	}
	return lines
}

// line puts head and text to the left and right to the edge of width columns.
func line(head, text, right string, width int) string {
	room := width - cells.Width(head) - 2 - rightEdge
	if room < rightEdge {
		return cells.Fit(head, width)
	}
	return head + "  " + cells.Fit(text, room) + cells.Spaces(rightEdge-len(right)) + right
}
