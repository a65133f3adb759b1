// Package progress shows how far several things are.
package progress

import (
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// State is how a thing stands.
type State int

// The states; the last two are final.
const (
	Running State = iota
	Done
	Failed
)

// Event is news of one thing. Index tells the things apart.
type Event struct {
	Index   int
	Name    string
	Percent int
	Message string
	State   State
}

// Sink shows events. It may be used by many goroutines.
type Sink interface {
	Show(e Event)
	// Close waits until all that was shown is written; nothing may be shown after it.
	Close()
}

// Nothing is a Sink that shows nothing.
type Nothing struct{}

// Show implements Sink.
func (Nothing) Show(Event) {}

// Close implements Sink.
func (Nothing) Close() {}

const (
	wideBar   = 20
	narrowBar = 4
	wide      = 60
	maxName   = 28
)

// mark is what a finished thing's bar turns into.
func mark(s State) string {
	switch s {
	case Done:
		return "✓"
	case Failed:
		return "✗"
	case Running:
	}
	return " "
}

// row draws one thing in at most width columns, wide characters counted as two.
func row(e Event, took time.Duration, width, nameWidth int) string {
	bar := narrowBar
	if width >= wide {
		bar = wideBar
	}
	filled := min(max(e.Percent, 0), 100) * bar / 100
	head := mark(e.State) + " " + cells.Fit(e.Name, nameWidth) + " " +
		strings.Repeat("█", filled) + strings.Repeat("░", bar-filled) + percent(e.Percent)
	tail := " " + strings.TrimSpace(seconds(took))
	room := width - cells.Width(head) - cells.Width(tail) - 1
	if room < 1 {
		return ansi.Truncate(head+tail, width, "")
	}
	return head + " " + cells.Fit(e.Message, room) + tail
}

func nameWidth(widest, width int) int { return min(widest, maxName, max(width/4, 1)) }
