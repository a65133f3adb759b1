package cli

import (
	"io"
	"os"
	"strconv"

	"golang.org/x/term"
)

const (
	fallbackWidth = 80
	minWidth      = 20
)

// console is what a command reads and writes.
type console struct {
	getenv   func(string) string
	in       io.Reader
	out, err io.Writer
	noColor  bool
	// started tells that a command's own code ran, so that its error is no usage error.
	started bool
}

// interactive tells whether somebody watches standard error and can answer on standard input.
func (c *console) interactive() bool { return isTerminal(c.in) && isTerminal(c.err) }

// live tells whether lines on standard error may be redrawn.
func (c *console) live() bool {
	return isTerminal(c.err) && c.getenv("TERM") != "dumb"
}

// colored tells whether w may receive colors: https://no-color.org.
func (c *console) colored(w io.Writer) bool {
	return !c.noColor && c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb" && isTerminal(w)
}

// width is the number of columns of w.
func (c *console) width(w io.Writer) int {
	if n, err := strconv.Atoi(c.getenv("COLUMNS")); err == nil && n >= minWidth {
		return n
	}
	if f, ok := w.(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n >= minWidth {
			return n
		}
	}
	return fallbackWidth
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
