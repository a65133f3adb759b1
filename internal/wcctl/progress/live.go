package progress

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

const (
	redraw     = 100 * time.Millisecond
	startWidth = 80
	startRows  = 24
)

// Live redraws one line per thing at the bottom of a terminal; what does not fit is seen at the end.
type Live struct {
	w       io.Writer
	screen  *screen
	program *tea.Program
	ended   chan struct{}
	close   sync.Once
}

// NewLive returns a Sink on a terminal. It reads no keys, so that Ctrl-C stays a signal.
func NewLive(w io.Writer) *Live {
	s := newScreen(time.Now)
	l := &Live{
		w: w, screen: s, ended: make(chan struct{}),
		program: tea.NewProgram(s,
			tea.WithOutput(w), tea.WithInput(nil), tea.WithoutSignalHandler()),
	}
	go func() {
		defer close(l.ended)
		_, _ = l.program.Run() // a terminal that cannot be drawn on leaves the answer to come
	}()
	return l
}

// Show implements Sink.
func (l *Live) Show(e Event) { l.program.Send(e) }

// Close implements Sink. The finished lines are written again, for good: tea.Println loses those
// that are still on their way when the program ends.
func (l *Live) Close() {
	l.close.Do(func() {
		l.program.Send(closing{})
		<-l.ended
		for _, line := range l.screen.finished {
			fmt.Fprintln(l.w, line)
		}
	})
}

type (
	closing struct{}
	tick    struct{}
)

// screen is the model: what has ended, then what runs in the order of its start.
type screen struct {
	now           func() time.Time
	width, height int
	running       []Event
	finished      []string
	started       map[int]time.Time
	// widest is the longest name so far, so that lines above and below agree.
	widest int
	closed bool
}

func newScreen(now func() time.Time) *screen {
	return &screen{now: now, width: startWidth, height: startRows, started: map[int]time.Time{}}
}

// Init implements tea.Model.
func (s *screen) Init() tea.Cmd { return nextTick() }

// Update implements tea.Model.
func (s *screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		if msg.Width > 0 && msg.Height > 0 { // some terminals do not tell
			s.width, s.height = msg.Width, msg.Height
		}
	case Event:
		s.show(msg)
	case tick:
		return s, nextTick()
	case closing:
		s.closed = true
		return s, tea.Quit
	}
	return s, nil
}

func nextTick() tea.Cmd {
	return tea.Tick(redraw, func(time.Time) tea.Msg { return tick{} })
}

// show takes an event in; the line of a thing that ended stays as it is then.
func (s *screen) show(e Event) {
	e.Name, e.Message = cells.Clean(e.Name), cells.Clean(e.Message)
	s.widest = max(s.widest, cells.Width(e.Name))
	if _, known := s.started[e.Index]; !known {
		s.started[e.Index] = s.now()
	}
	i := slices.IndexFunc(s.running, func(r Event) bool { return r.Index == e.Index })
	if i < 0 {
		i = len(s.running)
		s.running = append(s.running, e)
	}
	s.running[i] = e
	if e.State == Running {
		return
	}
	s.finished = append(s.finished, s.row(e))
	s.running = slices.Delete(s.running, i, i+1)
}

func (s *screen) row(e Event) string {
	return row(e, s.now().Sub(s.started[e.Index]), s.width, nameWidth(s.widest, s.width))
}

// View implements tea.Model.
func (s *screen) View() tea.View {
	if s.closed {
		return tea.NewView("")
	}
	lines := slices.Clone(s.finished)
	for _, e := range s.running {
		lines = append(lines, s.row(e))
	}
	lines = lines[max(0, len(lines)-max(s.height-1, 1)):]
	return tea.NewView(strings.Join(lines, "\n"))
}
