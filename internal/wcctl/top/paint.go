package top

import (
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// ink is the escape sequence that begins a style; the empty one leaves text alone.
type ink string

const endOfInk = ansi.ResetStyle

func (k ink) of(text string) string {
	if k == "" || text == "" {
		return text
	}
	return string(k) + text + endOfInk
}

// paint has the styles of one terminal. Colors are its own 16, which follow its theme; what they mean
// is always told by a mark or a word, too.
type paint struct {
	bold, faint, accent, good, warn, bad, key, tab ink
	// chosen is behind the row under the cursor; where it is only reversed, that row has no colors.
	chosen      ink
	plainChosen bool
}

// newPaint takes whether the background is dark, and whether there are more than 16 colors.
func newPaint(dark, rich bool) paint {
	style := lipgloss.NewStyle()
	p := paint{
		bold:   begin(style.Bold(true)),
		faint:  begin(style.Faint(true)),
		accent: begin(style.Foreground(lipgloss.Color("6"))),
		good:   begin(style.Foreground(lipgloss.Color("2"))),
		warn:   begin(style.Bold(true).Foreground(lipgloss.Color("3"))),
		bad:    begin(style.Bold(true).Foreground(lipgloss.Color("1"))),
		key:    begin(style.Bold(true).Foreground(lipgloss.Color("6"))),
		tab:    begin(style.Bold(true).Reverse(true)),
		chosen: begin(style.Reverse(true)), plainChosen: true,
	}
	if !rich {
		return p
	}
	choose := lipgloss.LightDark(dark)
	p.plainChosen = false
	p.chosen = begin(style.Background(choose(lipgloss.Color("254"), lipgloss.Color("237"))))
	// Yellow on white cannot be read.
	p.warn = begin(style.Bold(true).Foreground(choose(lipgloss.Color("130"), lipgloss.Color("3"))))
	return p
}

// begin is what a style writes before a text.
func begin(s lipgloss.Style) ink {
	const text = "x"
	before, _, _ := strings.Cut(s.Render(text), text)
	return ink(before)
}

// row marks the line under the cursor over its whole width.
func (p paint) row(line string, chosen bool, width int) string {
	if !chosen {
		return line
	}
	if p.plainChosen {
		line = ansi.Strip(line)
	}
	line = cells.Fit(line, width)
	return string(p.chosen) + strings.ReplaceAll(line, endOfInk, endOfInk+string(p.chosen)) + endOfInk
}

// parts are as many texts as fit on width columns, whole ones, and a sign that there are more.
func (p paint) parts(width int, list ...string) string {
	const between, more = " · ", " …"
	line, used := "", 0
	for i, text := range list {
		if text == "" {
			continue
		}
		head := ""
		if used > 0 {
			head = between
		}
		need := used + cells.Width(head) + cells.Width(text)
		if i < len(list)-1 {
			need += cells.Width(more)
		}
		if used > 0 && need > width {
			return cells.Cut(line+p.faint.of(more), width)
		}
		line += p.faint.of(head) + text
		used = cells.Width(line)
	}
	return cells.Cut(line, width)
}

// bar is a line of width columns of which percent are done.
func (p paint) bar(percent, width int, k ink) string {
	percent, width = min(max(percent, 0), 100), max(width, 0)
	halves := percent * width * 2 / 100
	done := strings.Repeat("━", halves/2)
	if halves%2 == 1 {
		done += "╸"
	}
	return k.of(done) + p.faint.of(strings.Repeat("─", width-(halves+1)/2))
}
