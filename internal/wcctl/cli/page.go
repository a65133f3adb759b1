package cli

import (
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// page collects lines of at most width columns; Korean letters take two.
type page struct {
	strings.Builder
	width int
}

// line adds text whose first line starts with prefix and whose others are indented as far. Style
// comes after wrapping, so that its codes are not cut.
func (p *page) line(prefix, text string, style func(...string) string) {
	indent := ansi.StringWidth(prefix)
	wrapped := ansi.Wrap(cells.Clean(text), max(p.width-indent, 1), "")
	for i, part := range strings.Split(wrapped, "\n") {
		if i > 0 {
			prefix = strings.Repeat(" ", indent)
		}
		p.WriteString(prefix + style(strings.TrimSpace(part)) + "\n")
	}
}

func (p *page) gap() { p.WriteString("\n") }
