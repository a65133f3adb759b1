package terraform

import (
	"fmt"
	"io"
	"strings"
)

// tailLines is how much of a program's last words an error repeats.
const tailLines = 20

// tail copies stderr to the log and keeps its end.
type tail struct {
	log   io.Writer
	lines []string
}

func newTail(log io.Writer) *tail { return &tail{log: log} }

// Write implements io.Writer; terraform-exec writes whole lines.
func (t *tail) Write(p []byte) (int, error) {
	fmt.Fprintf(t.log, "%s", p)
	for line := range strings.Lines(string(p)) {
		if line = strings.Trim(line, "│╷╵ \n"); line != "" {
			t.lines = append(t.lines, line)
		}
	}
	t.lines = t.lines[max(0, len(t.lines)-tailLines):]
	return len(p), nil
}

func (t *tail) text() string { return strings.Join(t.lines, " ") }
