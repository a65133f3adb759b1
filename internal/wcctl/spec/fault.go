package spec

import (
	"fmt"
	"strings"
)

// Fault is one thing that is wrong in the file.
type Fault struct {
	// Path is the key, e.g. spec.hosts.workers[1].address; it is empty for the file itself.
	Path string `json:"path"`
	// Line is where the key, or what should hold it, stands; 0 when it was read from no file.
	Line int    `json:"line,omitempty"`
	Text string `json:"text"`
	// Hint is what to write or a command to paste; it may be empty.
	Hint string `json:"hint,omitempty"`
	// Warning marks a fault that stops nothing.
	Warning bool `json:"warning,omitempty"`
}

// String is the fault on one line, without its hint.
func (f Fault) String() string {
	text := f.Text
	if f.Path != "" {
		text = f.Path + ": " + text
	}
	if f.Warning {
		text = "warning: " + text
	}
	return text
}

// FaultsError is why a file cannot be used. It holds the warnings too.
type FaultsError struct {
	File   string
	Faults []Fault
}

// Error lists every fault that is no warning, each on a line of its own.
func (e *FaultsError) Error() string {
	var b strings.Builder
	b.WriteString(e.Summary() + ":")
	for _, f := range e.Faults {
		if f.Warning {
			continue
		}
		fmt.Fprintf(&b, "\n  %s: %s", Position(e.File, f.Line), f)
		if f.Hint != "" {
			fmt.Fprintf(&b, "\n      %s", f.Hint)
		}
	}
	return b.String()
}

// Summary counts the faults that are no warnings.
func (e *FaultsError) Summary() string {
	n := 0
	for _, f := range e.Faults {
		if !f.Warning {
			n++
		}
	}
	if n == 1 {
		return e.File + " has 1 fault"
	}
	return fmt.Sprintf("%s has %d faults", e.File, n)
}

// Position is file:line, or the file where the line is not known.
func Position(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// Stops tells whether one of the faults is more than a warning.
func Stops(faults []Fault) bool {
	for _, f := range faults {
		if !f.Warning {
			return true
		}
	}
	return false
}

// Line is where the file holds the key at path, 0 where it does not.
func (c *Cluster) Line(path string) int { return c.lines[path] }
