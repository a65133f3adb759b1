package runview

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

const (
	redraw     = 100 * time.Millisecond
	startWidth = 80
	startRows  = 24
)

// NewTerminal redraws the phases at the bottom of a terminal and leaves their last look there. It
// reads no keys, so that Ctrl-C stays a signal.
func NewTerminal(w io.Writer, phases []Phase, colored bool) View {
	s := &screen{
		board: newBoard(phases), now: time.Now, width: startWidth, height: startRows,
		paint: newPaint(colored),
	}
	t := &terminal{
		w: w, screen: s, ended: make(chan struct{}),
		program: tea.NewProgram(s,
			tea.WithOutput(w), tea.WithInput(nil), tea.WithoutSignalHandler()),
	}
	go func() {
		defer close(t.ended)
		_, _ = t.program.Run() // a terminal that cannot be drawn on leaves the end to come
	}()
	return t
}

type terminal struct {
	w       io.Writer
	screen  *screen
	program *tea.Program
	ended   chan struct{}
	close   sync.Once
}

// Emit implements event.Sink.
func (t *terminal) Emit(e event.Event) { t.program.Send(e) }

// Close implements View.
func (t *terminal) Close() {
	t.close.Do(func() {
		t.program.Send(closing{})
		<-t.ended
		s := t.screen
		rows := len(s.board.phases) + len(s.board.hosts) + maxWarnings + shownWarnings
		for _, line := range s.board.draw(s.board.last, s.width, rows, s.paint) {
			fmt.Fprintln(t.w, strings.TrimRight(line, " "))
		}
	})
}

type (
	closing struct{}
	tick    struct{}
)

// screen is the model.
type screen struct {
	board         *board
	now           func() time.Time
	width, height int
	paint         paint
	closed        bool
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
	case event.Event:
		s.board.show(msg)
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

// View implements tea.Model.
func (s *screen) View() tea.View {
	if s.closed || s.board.start.IsZero() {
		return tea.NewView("")
	}
	lines := s.board.draw(s.now(), s.width, s.height-1, s.paint)
	return tea.NewView(strings.Join(lines, "\n"))
}
