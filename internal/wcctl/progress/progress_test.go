package progress

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// events are those of three photos, one with a Korean name, one long.
func events() []Event {
	return []Event{
		{Index: 0, Name: "bottle.jpg", Message: "Waiting for a free worker"},
		{Index: 1, Name: "유리병 사진.jpg", Percent: 40, Message: "무엇인지 알아보고 있어요"},
		{
			Index: 2, Name: "a very long name of a photo that nobody wants to read.jpg", Percent: 80,
			Message: "Finding the nearest collection points",
		},
	}
}

func TestScreensFitTheirTerminal(t *testing.T) {
	t.Parallel()
	for _, width := range []int{80, 40} {
		now := time.Unix(0, 0)
		s := newScreen(func() time.Time { return now })
		s.Update(tea.WindowSizeMsg{Width: width, Height: 24})
		for _, e := range events() {
			s.Update(e)
		}
		now = now.Add(1234 * time.Millisecond)
		got := s.View().Content + "\n"
		for line := range strings.Lines(got) {
			if n := ansi.StringWidth(strings.TrimSuffix(line, "\n")); n != width {
				t.Errorf("%d columns, want %d: %q", n, width, line)
			}
		}
		golden(t, fmt.Sprintf("screen_%d.txt", width), got)
	}
}

func TestNoTerminalIsTooNarrow(t *testing.T) {
	t.Parallel()
	for width := 1; width < 40; width++ {
		for _, e := range events() {
			line := row(e, time.Hour, width, nameWidth(80, width))
			if n := ansi.StringWidth(line); n > width {
				t.Errorf("%d columns on %d: %q", n, width, line)
			}
		}
	}
}

func TestAFinishedLineStays(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	s := newScreen(func() time.Time { return now })
	for _, e := range events() {
		s.Update(e)
	}
	s.Update(Event{Index: 1, Name: "done.jpg", Percent: 100, Message: "ok", State: Done})
	now = now.Add(time.Hour)
	lines := strings.Split(s.View().Content, "\n")
	if len(lines) != 3 || !strings.HasPrefix(lines[0], "✓ done.jpg") ||
		!strings.HasSuffix(lines[0], " 0.0s") {
		t.Errorf("the screen is:\n%s", s.View().Content)
	}
	s.Update(tea.WindowSizeMsg{Width: 80, Height: 2})
	if strings.Contains(s.View().Content, "\n") {
		t.Error("more lines than the terminal has")
	}
	if _, cmd := s.Update(closing{}); cmd == nil || s.View().Content != "" {
		t.Error("it does not close")
	}
}

func TestLiveDrawsOnAnythingAndEnds(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	live := NewLive(&out)
	for _, e := range events() {
		live.Show(e)
		e.State, e.Message = Failed, "broken by purpose"
		live.Show(e)
	}
	live.Close()
	live.Close() // again is harmless
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []string{"bottle.jpg", "유리병 사진.jpg", "a very long"} {
		if got := lines[len(lines)-3+i]; !strings.Contains(got, want) || !strings.Contains(got, "broken") {
			t.Errorf("line %d is %q", i, got)
		}
	}
}

func TestPlainWritesEachMessageOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := NewPlain(&out)
	e := Event{Index: 1, Name: "a\x1b[2J.jpg", Percent: 10, Message: "Fetching"}
	p.Show(e)
	p.Show(e)
	e.Percent, e.Message = 100, "Done\nreally"
	e.State = Done
	p.Show(e)
	p.Close()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], " 10% a.jpg: Fetching") ||
		!strings.HasSuffix(lines[1], "100% a.jpg: Done really") {
		t.Errorf("%q", lines)
	}
}

func TestPlainTakesEventsFromMany(t *testing.T) {
	t.Parallel()
	p := NewPlain(io.Discard)
	var group sync.WaitGroup
	for i := range 10 {
		group.Go(func() { p.Show(Event{Index: i}) })
	}
	group.Wait()
}
