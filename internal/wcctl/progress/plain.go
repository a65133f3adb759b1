package progress

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// Plain writes one line per change of a thing's message.
type Plain struct {
	w     io.Writer
	start time.Time
	mu    sync.Mutex
	last  map[int]Event
}

// NewPlain returns a Sink for logs and pipes.
func NewPlain(w io.Writer) *Plain {
	return &Plain{w: w, start: time.Now(), last: map[int]Event{}}
}

// Show implements Sink.
func (p *Plain) Show(e Event) {
	e.Name, e.Message = cells.Clean(e.Name), cells.Clean(e.Message)
	p.mu.Lock()
	defer p.mu.Unlock()
	known, again := p.last[e.Index]
	p.last[e.Index] = e
	if again && known.Message == e.Message && known.State == e.State {
		return
	}
	fmt.Fprintf(p.w, "%s%s %s: %s\n",
		seconds(time.Since(p.start)), percent(e.Percent), e.Name, e.Message)
}

// Close implements Sink.
func (p *Plain) Close() {}

func percent(n int) string { return fmt.Sprintf("%4d%%", n) }

func seconds(d time.Duration) string {
	return fmt.Sprintf("%6s", strconv.FormatFloat(d.Seconds(), 'f', 1, 64)+"s")
}
