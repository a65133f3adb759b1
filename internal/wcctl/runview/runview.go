// Package runview shows a run's events: redrawn on a terminal, as plain lines or as JSON.
package runview

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// View shows events until Close.
type View interface {
	event.Sink
	// Close waits until all that was shown is written; nothing may be shown after it.
	Close()
}

// Phase is what a view tells of a phase before it starts.
type Phase struct{ Name, Title string }

// elapsed writes a duration as a person says it: 0.4s, 12s, 3m05s, 1h02m.
func elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0s"
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// clean drops what would move the cursor or change colors: texts come from machines.
func clean(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r) || unicode.Is(unicode.Join_Control, r):
			return r
		}
		return -1
	}, ansi.Strip(text)))
}

// fit cuts or pads text to exactly width columns.
func fit(text string, width int) string {
	if width <= 0 {
		return ""
	}
	text = ansi.Truncate(text, width, "…")
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}
