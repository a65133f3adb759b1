// Package runview shows a run's events: redrawn on a terminal, as plain lines or as JSON.
package runview

import (
	"time"

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

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
