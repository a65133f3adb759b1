package top

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// updating tells whether golden files are rewritten; a library of teatest's owns the flag.
func updating() bool { return flag.Lookup("update").Value.String() == "true" }

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if updating() {
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

// framed is a screen with its edges, so that a golden file shows where they are.
func framed(t *testing.T, s *stage) string {
	t.Helper()
	lines := strings.Split(s.screen(), "\n")
	if len(lines) != s.height {
		t.Errorf("%d lines on %d", len(lines), s.height)
	}
	edge := strings.Repeat("═", s.width)
	var b strings.Builder
	fmt.Fprintf(&b, "╔%s╗ %d×%d\n", edge, s.width, s.height)
	for _, line := range lines {
		if n := cells.Width(line); n > s.width {
			t.Errorf("%d columns on %d: %q", n, s.width, line)
		}
		fmt.Fprintf(&b, "║%s║\n", cells.Fit(ansi.Strip(line), s.width))
	}
	fmt.Fprintf(&b, "╚%s╝\n", edge)
	return b.String()
}

var sizes = [][2]int{{40, 10}, {80, 24}, {160, 50}}

// inAllSizes draws the same in each size of the terminal.
func inAllSizes(t *testing.T, s *stage) string {
	t.Helper()
	var b strings.Builder
	for _, size := range sizes {
		s.resize(size[0], size[1])
		b.WriteString(framed(t, s))
	}
	return b.String()
}

// flowing gives the counters of a minute to the queues' rates.
func flowing(s *stage) {
	start := s.now.Add(-time.Minute)
	for i := range 120 {
		at := start.Add(time.Duration(i) * refresh)
		s.now = at
		s.source.set(func(f *fake) {
			for q := range f.picture.Queues {
				queue := f.picture.Queues[q] // the slice is shared with the last picture
				queue.Processed += int64(i*i/40%7) / int64(q+1)
				queues := append([]monitor.Queue(nil), f.picture.Queues...)
				queues[q] = queue
				f.picture.Queues = queues
			}
		})
		s.look()
	}
	s.now = noon
	s.look()
}

func TestEveryViewInEveryState(t *testing.T) {
	t.Parallel()
	states := map[string]func(t *testing.T) *stage{
		"empty": func(t *testing.T) *stage { return setup(t, empty()).look() },
		"busy": func(t *testing.T) *stage {
			s := setup(t, busy())
			flowing(s)
			return s
		},
		"failing": func(t *testing.T) *stage {
			s := setup(t, failing())
			flowing(s)
			return s
		},
		"disconnected": func(t *testing.T) *stage {
			s := setup(t, busy())
			flowing(s)
			s.source.set(func(f *fake) { f.err = errLost })
			s.look()
			s.now = s.now.Add(7 * time.Second)
			s.look()
			s.look()
			return s
		},
	}
	for state, make := range states {
		for v := range viewCount {
			name := strings.ToLower(viewNames[v]) + "_" + state
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := make(t)
				s.show(v)
				golden(t, name+".txt", inAllSizes(t, s))
			})
		}
	}
}

func TestOtherScreens(t *testing.T) {
	t.Parallel()
	screens := map[string]func(s *stage){
		"detail_done":    func(s *stage) { s.press("2"); s.list().move(s.rows(), 9, 20); s.press("enter") },
		"detail_running": func(s *stage) { s.press("2", "down", "down", "down", "w") },
		"detail_failed": func(s *stage) {
			s.source.set(func(f *fake) { f.picture = failing(); f.details = details(f.picture) })
			s.look()
			s.press("2", "f", "enter")
		},
		"help":          func(s *stage) { s.press("?") },
		"help_readonly": func(s *stage) { s.readOnly = true; s.press("?") },
		"confirm": func(s *stage) {
			s.source.set(func(f *fake) { f.picture = failing() })
			s.look()
			s.press("2", "f", "a", "R")
		},
		"confirm_left_out": func(s *stage) { s.press("2", "a", "C") },
		"confirm_queue":    func(s *stage) { s.press("3", "P") },
		"outcome": func(s *stage) {
			s.source.set(func(f *fake) {
				f.outcome = func(id uuid.UUID) monitor.Outcome {
					if id == jobID(0) {
						return monitor.Outcome{Subject: id.String(), Changed: true}
					}
					return monitor.Outcome{Subject: id.String(), Error: "it has ended meanwhile"}
				}
			})
			s.press("2", "space", "space", "space", "C", "y")
		},
		"searching":   func(s *stage) { s.press("2", "/", "유", "리") },
		"found":       func(s *stage) { s.press("2", "/", "유", "리", "enter") },
		"found_none":  func(s *stage) { s.press("2", "/", "x", "x", "x", "enter") },
		"marked":      func(s *stage) { s.press("2", "space", "down", "space", "end") },
		"notice":      func(s *stage) { s.press("2", "y") },
		"paused_look": func(s *stage) { s.blurred = true },
	}
	for name, play := range screens {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, busy()).look()
			play(s)
			golden(t, "screen_"+name+".txt", inAllSizes(t, s))
		})
	}
}

func TestBeforeTheFirstPicture(t *testing.T) {
	t.Parallel()
	s := setup(t, busy())
	before := inAllSizes(t, s)
	s.source.set(func(f *fake) { f.err = errLost })
	s.look()
	golden(t, "screen_waiting.txt", before+inAllSizes(t, s))
}
