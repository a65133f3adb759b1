package top

import (
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/exp/teatest/v2"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// flow is the whole program with its real clock, in front of a fake.
type flow struct {
	t      *testing.T
	source *fake
	*teatest.TestModel
}

func start(t *testing.T, picture monitor.Picture, readOnly bool) *flow {
	t.Helper()
	f := &flow{t: t, source: &fake{picture: picture, details: details(picture)}}
	m := newModel(t.Context(), f.source, readOnly, time.Now)
	f.TestModel = teatest.NewTestModel(t, m, teatest.WithInitialTermSize(80, 24))
	f.waits("Running now")
	return f
}

// waits for a text among what is written from now on.
func (f *flow) waits(text string) {
	f.t.Helper()
	teatest.WaitFor(f.t, f.Output(), func(written []byte) bool {
		return strings.Contains(ansi.Strip(string(written)), text)
	}, teatest.WithDuration(10*time.Second), teatest.WithCheckInterval(20*time.Millisecond))
}

func (f *flow) press(keys ...string) {
	for _, k := range keys {
		f.Send(keyPress(k))
	}
}

func (f *flow) ends() {
	f.t.Helper()
	f.press("q")
	f.WaitFinished(f.t, teatest.WithFinalTimeout(10*time.Second))
}

func TestFlowSearch(t *testing.T) {
	t.Parallel()
	f := start(t, busy(), false)
	f.press("/")
	f.waits("search:")
	f.Type("없는 것")
	f.press("enter")
	f.waits("No job is like that")
	f.press("esc")
	f.waits(shortID(jobID(2)))
	f.ends()
}

func TestFlowRetry(t *testing.T) {
	t.Parallel()
	f := start(t, failing(), false)
	f.press("2", "f")
	f.waits("failed only")
	f.press("space", "space", "R")
	f.waits("Retry 2 jobs?")
	f.press("y")
	f.waits("retried 2 jobs")
	f.ends()
	if got := f.source.actions; len(got) != 1 || got[0].Verb != monitor.Retry || len(got[0].Jobs) != 2 {
		t.Errorf("it did %+v", got)
	}
}

func TestFlowDisconnect(t *testing.T) {
	t.Parallel()
	f := start(t, busy(), false)
	f.source.set(func(s *fake) { s.err = errLost })
	f.waits("connection lost")
	f.source.set(func(s *fake) { s.err = nil })
	f.waits("● live")
	f.ends()
}

func TestFlowReadOnly(t *testing.T) {
	t.Parallel()
	f := start(t, failing(), true)
	f.press("2", "C")
	f.waits("nothing is changed from here")
	f.ends()
	if len(f.source.actions) != 0 {
		t.Errorf("it did %+v", f.source.actions)
	}
}

func TestFlowResize(t *testing.T) {
	t.Parallel()
	f := start(t, busy(), false)
	f.Send(tea.WindowSizeMsg{Width: 30, Height: 8})
	f.waits("needs 40×10")
	f.Send(tea.WindowSizeMsg{Width: 160, Height: 50})
	f.waits("Waste Coach")
	f.ends()
}

// TestFlowFocus: while it rests, nothing is asked.
func TestFlowFocus(t *testing.T) {
	t.Parallel()
	f := start(t, busy(), false)
	f.Send(tea.BlurMsg{})
	f.waits("paused")
	f.Send(tea.FocusMsg{})
	f.waits("● live")
	f.ends()
}

var colors = regexp.MustCompile(`\x1b\[[0-9;]*\b(3[0-7]|38|4[0-7]|48|9[0-7])\b[0-9;]*m`)

func TestNoColor(t *testing.T) {
	t.Parallel()
	for profile, want := range map[colorprofile.Profile]bool{
		colorprofile.ASCII: false, colorprofile.ANSI: true, colorprofile.TrueColor: true,
	} {
		m := newModel(t.Context(), &fake{picture: failing()}, false, time.Now)
		tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(80, 24),
			teatest.WithProgramOptions(tea.WithColorProfile(profile)))
		var written strings.Builder
		teatest.WaitFor(t, io.TeeReader(tm.Output(), &written), func(b []byte) bool {
			return strings.Contains(ansi.Strip(string(b)), "stalled")
		}, teatest.WithDuration(10*time.Second))
		tm.Send(keyPress("q"))
		tm.WaitFinished(t, teatest.WithFinalTimeout(10*time.Second))
		if got := colors.MatchString(written.String()); got != want {
			t.Errorf("%s: colors %t, want %t", profile, got, want)
		}
	}
}

func TestScreenshot(t *testing.T) {
	t.Parallel()
	svg, err := Screenshot(t.Context(), &fake{picture: busy()}, "jobs", 120, 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg ", shortID(jobID(3)), "▸ vision", "유리병", "●"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("%q is missing", want)
		}
	}
	if _, err := Screenshot(t.Context(), &fake{err: errLost}, "", 120, 32); err == nil {
		t.Error("a picture of nothing")
	}
	if _, err := Screenshot(t.Context(), &fake{}, "no such view", 120, 32); err == nil {
		t.Error("a picture of no view")
	}
}
