package runview

import (
	"fmt"
	"io"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// NewPlain writes a line per thing that begins or ends, for logs and pipes. A task that begins on
// many hosts is one line.
func NewPlain(w io.Writer) View { return &plain{w: w, told: map[string]bool{}} }

type plain struct {
	w     io.Writer
	start time.Time
	told  map[string]bool
}

// Emit implements event.Sink.
func (p *plain) Emit(e event.Event) {
	if p.start.IsZero() {
		p.start = e.Time
	}
	text := describe(e)
	if text == "" {
		return
	}
	if e.Kind == event.PhaseStarted {
		clear(p.told)
	}
	switch e.Kind {
	case event.TaskStarted, event.Warning, event.Note:
		if p.told[text] {
			return
		}
		p.told[text] = true
	default:
	}
	fmt.Fprintf(p.w, "%7s  %s\n", cells.Elapsed(e.Time.Sub(p.start)), text)
}

// Close implements View.
func (*plain) Close() {}

// describe is an event's line; it is empty for what a log does not need.
func describe(e event.Event) string {
	phase, task, text := cells.Clean(e.Phase), cells.Clean(e.Task), cells.Clean(e.Text)
	took := cells.Elapsed(seconds(e.Seconds))
	switch e.Kind {
	case event.RunStarted:
		return join(" ", text, within("log: ", cells.Clean(e.Log)))
	case event.PhaseStarted:
		return fmt.Sprintf("[%d/%d] %s: %s", e.Done+1, e.Total, phase, task)
	case event.TaskStarted:
		return "        " + join(": ", phase, task, text)
	case event.Warning:
		return "warning: " + join(": ", phase, cells.Clean(e.Host), task, text)
	case event.Note:
		return "        " + join(": ", phase, cells.Clean(e.Host), task, text)
	case event.PhaseFinished:
		return fmt.Sprintf("[%d/%d] %s: done in %s", e.Done, e.Total, phase, took)
	case event.PhaseSkipped:
		return fmt.Sprintf("[%d/%d] %s: %s", e.Done, e.Total, phase, nothing(text))
	case event.PhaseFailed:
		return "failed: " + join(": ", phase, cells.Clean(e.Host), task, text)
	case event.RunFinished:
		return join(" ", text, "in "+took)
	case event.TaskFinished:
	}
	return ""
}

func nothing(text string) string {
	if text == "" {
		return "nothing to do"
	}
	return text
}

func within(before, text string) string {
	if text == "" {
		return ""
	}
	return "(" + before + text + ")"
}

// join leaves out what is empty.
func join(sep string, parts ...string) string {
	text := ""
	for _, p := range parts {
		switch {
		case p == "":
		case text == "":
			text = p
		default:
			text += sep + p
		}
	}
	return text
}
