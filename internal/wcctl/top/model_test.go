package top

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/job"
	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

func (s *stage) shows(text string) {
	s.t.Helper()
	if !strings.Contains(ansi.Strip(s.screen()), text) {
		s.t.Errorf("%q is not on the screen:\n%s", text, ansi.Strip(s.screen()))
	}
}

func (s *stage) hides(text string) {
	s.t.Helper()
	if strings.Contains(ansi.Strip(s.screen()), text) {
		s.t.Errorf("%q is on the screen:\n%s", text, ansi.Strip(s.screen()))
	}
}

func TestATickMakesOneFetch(t *testing.T) {
	t.Parallel()
	s := setup(t, busy())
	s.source.block = make(chan struct{})
	if s.onTick(tick{}); s.feed.gen != 1 {
		t.Fatalf("%d fetches after a tick", s.feed.gen)
	}
	for range 5 {
		s.onTick(tick{})
	}
	if s.feed.gen != 1 {
		t.Errorf("%d fetches while the first was under way", s.feed.gen)
	}
	s.Update(fetched{gen: 1, picture: busy()})
	if s.onTick(tick{}); s.feed.gen != 2 {
		t.Errorf("%d fetches after the first came back", s.feed.gen)
	}
}

func TestAnOldAnswerIsNotShown(t *testing.T) {
	t.Parallel()
	s := setup(t, busy())
	first := s.fetch()
	s.source.set(func(f *fake) { f.picture.Source = "the second" })
	second := s.fetch()
	s.Update(second())
	got, ok := first().(fetched)
	if !ok {
		t.Fatal("no answer")
	}
	got.picture.Source = "the first"
	s.Update(got)
	s.shows("the second")
	if s.feed.busy {
		t.Error("it waits for nothing")
	}
}

func TestAFetchThatWasReplacedIsGivenUp(t *testing.T) {
	t.Parallel()
	s := setup(t, busy())
	s.source.block = make(chan struct{}) // never closed
	first := s.fetch()
	s.fetch()
	got, ok := first().(fetched)
	if !ok || got.err == nil {
		t.Errorf("the first fetch brought %+v", got)
	}
}

func TestItComesBackByItself(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2")
	s.shows("● live")
	s.source.set(func(f *fake) { f.err = errLost })
	var waits []time.Duration
	for range 5 {
		s.look()
		waits = append(waits, s.feed.next.Sub(s.now))
		s.now = s.feed.next
	}
	want := []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second}
	if !slices.Equal(waits, want) {
		t.Errorf("it waited %v", waits)
	}
	s.shows("stale 12s")
	s.shows("no answer from Redis")
	s.shows(jobID(3).String()[:idWidth]) // the last picture stays
	if s.onTick(tick{}); !s.feed.busy {
		t.Error("it does not try again when it is time")
	}
	s.source.set(func(f *fake) { f.err = nil })
	s.look()
	s.shows("● live")
	s.hides("no answer from Redis")
}

func TestNothingIsTriedBeforeItsTime(t *testing.T) {
	t.Parallel()
	s := setup(t, busy())
	s.source.set(func(f *fake) { f.err = errLost })
	s.look()
	s.now = s.feed.next.Add(-time.Millisecond)
	if s.onTick(tick{}); s.feed.busy {
		t.Error("it tried too early")
	}
	s.now = s.feed.next
	if s.onTick(tick{}); !s.feed.busy {
		t.Error("it did not try in time")
	}
}

func TestAPartTellsItsAge(t *testing.T) {
	t.Parallel()
	s := setup(t, failing()).look()
	s.press("5")
	s.shows("stale 12s")
	s.shows("connection refused")
	s.shows("5 Services!")
	s.press("2")
	s.hides("connection refused")
	s.shows("partly stale")
}

func TestASlowAnswerIsTold(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.fetch() // hangs
	s.now = s.now.Add(staleAfter)
	s.shows("stale 2s")
}

func TestItRestsWithoutFocus(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.Update(tea.BlurMsg{})
	gen := s.feed.gen
	if cmd := s.onTick(tick{}); cmd != nil || s.feed.gen != gen {
		t.Error("it goes on without focus")
	}
	s.shows("paused")
	if cmd := s.onFocus(); cmd == nil || s.feed.gen != gen+1 {
		t.Error("it does not go on with the focus")
	}
	if cmd := s.onTick(tick{clock: 0}); cmd != nil {
		t.Error("the clock of before ticks, too")
	}
	s.Update(tea.FocusMsg{})
	if clock := s.clock; s.onFocus() != nil || s.clock != clock {
		t.Error("a second focus starts a second clock")
	}
}

func TestAFollowedJobIsToldWithoutFocus(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "down", "down", "w")
	id := jobID(2)
	s.Update(tea.BlurMsg{})
	if s.paused() {
		t.Fatal("it rests")
	}
	if title := s.windowTitle(); !strings.HasPrefix(title, "10 % fetch") {
		t.Errorf("the title is %q", title)
	}
	if bar := s.progressBar(); bar == nil || bar.Value != 10 {
		t.Errorf("the terminal's bar is %+v", bar)
	}
	s.source.set(func(f *fake) { f.details[id] = closely(finished(2, "glass", "유리병", 3*time.Second)) })
	_, cmd := s.Update(s.fetch()())
	if cmd == nil {
		t.Fatal("no bell")
	}
	if raw, ok := cmd().(tea.RawMsg); !ok || fmt.Sprint(raw.Msg) != "\a" {
		t.Errorf("not a bell: %v", cmd())
	}
	s.shows("has succeeded after")
	if !s.paused() || s.progressBar() != nil {
		t.Error("it goes on following")
	}
}

func TestTheCursorStaysOnItsJob(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "down", "down", "down")
	want := s.list().cursor
	if want != jobID(3).String() {
		t.Fatalf("the cursor is on %s", want)
	}
	items := s.feed.picture.Jobs.Items
	for n := range 40 {
		items = append([]monitor.Job{queued(-1-n, 0)}, items...)
		s.source.set(func(f *fake) { f.picture.Jobs.Items = items })
		s.look()
		if s.list().cursor != want || items[s.list().index].ID.String() != want {
			t.Fatalf("after %d new jobs the cursor is on %s", n+1, s.list().cursor)
		}
		s.shows("▸  " + want[:idWidth])
	}
	s.source.set(func(f *fake) {
		f.picture.Jobs.Items = slices.DeleteFunc(slices.Clone(items), func(j monitor.Job) bool {
			return j.ID == jobID(3)
		})
	})
	s.look()
	if got := s.list().cursor; got != jobID(4).String() {
		t.Errorf("when its job has gone the cursor is on %s", got)
	}
}

func TestARowStaysWhereTheEyeIs(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "pgdown", "pgdown")
	before := s.list().index - s.list().top
	items := append([]monitor.Job{queued(-1, 0), queued(-2, 0)}, s.feed.picture.Jobs.Items...)
	s.source.set(func(f *fake) { f.picture.Jobs.Items = items })
	s.look()
	if after := s.list().index - s.list().top; after != before {
		t.Errorf("it was on line %d and is on %d", before, after)
	}
}

func TestMarksGoWithTheirJobs(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "space", "down", "space")
	if got := s.list().chosen(s.rows()); !slices.Equal(got, []string{jobID(0).String(), jobID(2).String()}) {
		t.Errorf("marked are %v", got)
	}
	s.source.set(func(f *fake) { f.picture.Jobs.Items = f.picture.Jobs.Items[1:] })
	s.look()
	if got := s.list().chosen(s.rows()); !slices.Equal(got, []string{jobID(2).String()}) {
		t.Errorf("a job that has gone is marked: %v", got)
	}
	s.press("esc")
	if len(s.list().marks) != 0 {
		t.Error("esc leaves the marks")
	}
}

func TestSearchAndFilters(t *testing.T) {
	t.Parallel()
	s := setup(t, failing()).look()
	last := func() monitor.JobQuery { return s.source.queries[len(s.source.queries)-1] }
	s.press("/") // from the overview it turns to the jobs
	for _, r := range "거절" {
		s.press(string(r))
	}
	if q := last(); q.Text != "거절" || s.view != jobs {
		t.Fatalf("asked for %+v in view %d", q, s.view)
	}
	s.press("enter")
	if len(s.rows()) != 1 {
		t.Errorf("%d jobs are found", len(s.rows()))
	}
	s.press("esc")
	if q := last(); q.Text != "" {
		t.Errorf("esc leaves %+v", q)
	}
	s.press("f")
	if q := last(); !slices.Equal(q.Status, []job.Status{job.Failed}) || len(s.rows()) != 3 {
		t.Errorf("failed only asks for %+v and shows %d", q, len(s.rows()))
	}
	s.shows("failed only")
	s.press("s")
	if q := last(); !q.Stalled || len(q.Status) != 0 || len(s.rows()) != 2 {
		t.Errorf("stalled only asks for %+v and shows %d", q, len(s.rows()))
	}
	s.press("u")
	if q := last(); q.Stalled || len(q.Status) != 3 {
		t.Errorf("unfinished only asks for %+v", q)
	}
	s.press("u")
	if q := last(); len(q.Status) != 0 {
		t.Errorf("the same key again leaves %+v", q)
	}
	s.press("/")
	s.Update(tea.PasteMsg{Content: "0199feed"})
	s.press("ctrl+c")
	if q := last(); s.typing != nil || q.Text != "" {
		t.Errorf("ctrl+c while typing leaves %+v", q)
	}
}

func TestTheCursorIsBehindWideLetters(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "/", "유", "리", "a")
	if c := s.View().Cursor; c == nil || c.X != len(searchPrompt)+5 || c.Y != 23 {
		t.Errorf("the cursor is at %+v", c)
	}
	s.press("enter")
	if c := s.View().Cursor; c != nil {
		t.Errorf("the cursor stays at %+v", c)
	}
}

func TestOtherViewsSearchWhatTheyShow(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	for keys, want := range map[string]int{"3recy": 1, "4waste-3": 2, "5worker": 2, "6control": 1, "7minji": 2} {
		s.press(keys[:1], "/")
		for _, r := range keys[1:] {
			s.press(string(r))
		}
		s.press("enter")
		if got := len(s.rows()); got != want {
			t.Errorf("%s: %d rows %v", keys, got, s.rows())
		}
		s.press("esc")
		if got := len(s.rows()); got == want {
			t.Errorf("%s: esc shows no more", keys)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "n")
	if q := s.source.queries[len(s.source.queries)-1]; q.Before != "older" {
		t.Errorf("older jobs are asked for by %+v", q)
	}
	s.shows("page 2")
	s.press("p")
	if q := s.source.queries[len(s.source.queries)-1]; q.Before != "" {
		t.Errorf("newer jobs are asked for by %+v", q)
	}
	s.hides("page 2")
}

func TestAnActionNamesWhatItDoes(t *testing.T) {
	t.Parallel()
	s := setup(t, failing()).look()
	s.press("2", "f", "space", "space", "R")
	s.shows("Retry 2 jobs?")
	s.shows(shortID(jobID(5)))
	s.shows(shortID(jobID(6)))
	if len(s.source.actions) != 0 {
		t.Fatal("it acted without an answer")
	}
	s.press("enter") // no answer
	if len(s.source.actions) != 0 || s.dialog == nil {
		t.Fatal("enter is a yes or a no")
	}
	s.press("y")
	want := monitor.Action{Verb: monitor.Retry, Jobs: ids(5, 6)}
	if got := s.source.actions; len(got) != 1 || got[0].Verb != want.Verb || !slices.Equal(got[0].Jobs, want.Jobs) {
		t.Errorf("it did %+v", got)
	}
	s.shows("retried 2 jobs")
	s.press("D", "n")
	if len(s.source.actions) != 1 {
		t.Error("no is a yes")
	}
	s.shows("nothing was changed")
}

func TestEveryVerbHasItsKey(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		key  string
		verb monitor.Verb
		row  int // of the failing picture
	}{
		{"R", monitor.Retry, 4},
		{"C", monitor.Cancel, 0},
		{"A", monitor.Archive, 0},
		{"D", monitor.Delete, 4},
		{"N", monitor.RunNow, 0},
		{"F", monitor.Repair, 2},
	} {
		s := setup(t, failing()).look()
		s.press("2")
		s.list().move(s.rows(), c.row, s.listHeight())
		s.press(c.key, "y")
		if got := s.source.actions; len(got) != 1 || got[0].Verb != c.verb ||
			got[0].Jobs[0] != failing().Jobs.Items[c.row].ID {
			t.Errorf("%s did %+v", c.key, got)
		}
		s.shows(verbs[c.verb].done + " job")
		s = setup(t, failing()).look() // the same from close by
		s.press("2")
		s.list().move(s.rows(), c.row, s.listHeight())
		s.press("enter", c.key, "y")
		if got := s.source.actions; len(got) != 1 || got[0].Verb != c.verb {
			t.Errorf("close by %s did %+v", c.key, got)
		}
	}
}

func TestAQueueIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("3", "down", "P")
	s.shows("Pause the queue recycling?")
	s.press("y")
	s.source.set(func(f *fake) { f.picture = failing() })
	s.look()
	s.press("up", "P")
	s.shows("Resume the queue waste?")
	s.press("y")
	got := s.source.actions
	if len(got) != 2 || got[0].Verb != monitor.Pause || got[0].Queue != "recycling" ||
		got[1].Verb != monitor.Resume || got[1].Queue != "waste" {
		t.Errorf("it did %+v", got)
	}
}

func TestWhatMakesNoSenseIsNotAsked(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "F")
	s.shows("nothing to repair: " + shortID(jobID(0)) + " is neither stalled nor an orphan")
	s.press("D")
	s.shows("is not finished")
	s.press("1", "R")
	s.shows("no job is chosen")
	s.press("P")
	s.shows("no queue is chosen")
	if s.dialog != nil || len(s.source.actions) != 0 {
		t.Error("it asked all the same")
	}
}

func TestWhatCouldNotBeDoneIsTold(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.source.actErr = errors.New("PostgreSQL does not answer")
	s.press("2", "C", "y")
	s.shows("Not canceled")
	s.shows("PostgreSQL does not answer")
	s.press("x")
	s.source.actErr = nil
	s.source.outcome = func(id uuid.UUID) monitor.Outcome { return monitor.Outcome{Subject: id.String()} }
	s.press("C", "y")
	s.shows("it was so already")
	if s.acting != "" {
		t.Error("it still acts")
	}
}

func TestReadOnlyChangesNothing(t *testing.T) {
	t.Parallel()
	s := setup(t, failing()).look()
	s.readOnly = true
	for _, key := range []string{"R", "C", "A", "D", "N", "F"} {
		s.press("2", "f", "f", "end", key, "y")
	}
	s.press("3", "P", "y")
	if len(s.source.actions) != 0 || s.dialog != nil {
		t.Errorf("it did %+v", s.source.actions)
	}
	s.press("P")
	s.shows("read-only: nothing is changed")
	s.now = s.now.Add(time.Minute)
	s.forget()
	s.press("2")
	s.hides("R retry")
	s.shows("read-only")
	s.press("?")
	s.hides("archive")
}

func TestACloseLookKeepsWhatItHas(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.source.jobErr = errors.New("the waste service is away")
	s.press("2", "enter")
	s.shows("! The waste service is away") // nothing was read yet
	s.source.jobErr = nil
	s.look()
	s.shows("Steps")
	s.source.jobErr = errors.New("the waste service is away")
	s.look()
	s.shows("! not read again: the waste service is away")
	s.shows("Steps")
	s.press("esc")
	s.hides("the waste service is away")
}

func TestWorkersOfOneProcessAreToldApart(t *testing.T) {
	t.Parallel()
	p := busy()
	p.Workers[0].ID, p.Workers[1].ID = "3f2a9c01-7c3d-4a4b-9d6e-7f8a9b0c1d2e", "77aa0b12-7c3d-4a4b-9d6e-7f8a9b0c1d2e"
	s := setup(t, p).look()
	s.press("4")
	s.shows("waste 3f2a9c01")
	s.shows("waste 77aa0b12")
}

func TestTheIDIsCopied(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	s.press("2", "down")
	cmd := s.copyID()
	if cmd == nil || fmt.Sprint(cmd()) != jobID(1).String() {
		t.Errorf("copied %v", cmd())
	}
	s.press("3")
	if s.copyID() != nil {
		t.Error("a queue has an id")
	}
}

func TestTheMouse(t *testing.T) {
	t.Parallel()
	s := setup(t, busy()).look()
	at := func(text string) (x, y int) {
		for y, line := range strings.Split(ansi.Strip(s.screen()), "\n") {
			if before, _, ok := strings.Cut(line, text); ok {
				return cells.Width(before), y
			}
		}
		t.Fatalf("%q is not on the screen:\n%s", text, ansi.Strip(s.screen()))
		return 0, 0
	}
	click := func(text string) {
		x, y := at(text)
		_, cmd := s.Update(tea.MouseClickMsg{X: x + 1, Y: y, Button: tea.MouseLeft})
		s.run(cmd)
	}
	for v := range viewCount {
		click(viewNames[v])
		if s.view != v {
			t.Errorf("a click on %s shows %s", viewNames[v], viewNames[s.view])
		}
	}
	click("Jobs")
	click(shortID(jobID(4)))
	if got := s.list().cursor; got != jobID(4).String() || s.detail != nil {
		t.Errorf("a click puts the cursor on %s", got)
	}
	click(shortID(jobID(4)))
	if s.detail == nil || s.detail.id != jobID(4) {
		t.Error("a second click opens nothing")
	}
	s.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	if s.detail.scroll.top == 0 {
		t.Error("the wheel does not scroll")
	}
	s.Update(tea.MouseClickMsg{Button: tea.MouseRight})
	if s.detail != nil {
		t.Error("the right button does not go back")
	}
	s.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	if s.list().index != 4+wheelStep {
		t.Errorf("the wheel moves to row %d", s.list().index)
	}
	s.resize(40, 10)
	click("7")
	if s.view != events {
		t.Error("the tabs of a small screen cannot be clicked")
	}
}

func TestTheOverviewLeadsOn(t *testing.T) {
	t.Parallel()
	s := setup(t, failing()).look()
	for i, row := range s.overviewRows() {
		s.press("1")
		s.list().move(s.rows(), -farther, 99)
		s.list().move(s.rows(), i, 99)
		s.press("enter")
		switch {
		case !row.job.IsNil():
			if s.detail == nil || s.detail.id != row.job {
				t.Errorf("%s opens no job", row.key)
			}
		case s.view != row.to || s.only != row.only:
			t.Errorf("%s leads to %s", row.key, viewNames[s.view])
		}
		s.press("esc")
		s.only = allJobs
		s.look()
	}
}

// TestNoSizeBreaksAScreen draws everything in every size up to a large one.
func TestNoSizeBreaksAScreen(t *testing.T) {
	t.Parallel()
	for _, picture := range []monitor.Picture{empty(), busy(), failing()} {
		s := setup(t, picture).look()
		for width := 1; width < 170; width += 7 {
			for height := 1; height < 60; height += 3 {
				s.resize(width, height)
				for v := range viewCount {
					s.show(v)
					s.checkFits()
				}
				s.toggleHelp()
				s.checkFits()
				s.press("2", "enter")
				s.checkFits()
				s.press("esc")
			}
		}
	}
}

func (s *stage) checkFits() {
	s.t.Helper()
	lines := strings.Split(s.screen(), "\n")
	if s.tooSmall() {
		return
	}
	if len(lines) != s.height {
		s.t.Fatalf("view %d, %d×%d: %d lines", s.view, s.width, s.height, len(lines))
	}
	for _, line := range lines {
		if n := cells.Width(line); n > s.width {
			s.t.Fatalf("view %d, %d×%d: %d columns: %q", s.view, s.width, s.height, n, line)
		}
	}
}

func TestThroughput(t *testing.T) {
	t.Parallel()
	h := &history{}
	now := noon
	for i := range int64(20) {
		h.add(now.Add(time.Duration(i)*refresh), 1000+5*i)
	}
	now = now.Add(10 * time.Second)
	if rate, known := h.rate(now); !known || rate < 9 || rate > 11 {
		t.Errorf("10 a second are %.1f, %t", rate, known)
	}
	h.add(now.Add(30*time.Second), 5000) // nobody looked
	h.add(now.Add(31*time.Second), 5003)
	rates := h.last(now.Add(32*time.Second), 40)
	if rates[39] != 3 || rates[20] != unknown || rates[5] != 10 {
		t.Errorf("around a gap the rates are %v", rates)
	}
	h.add(now.Add(32*time.Second), 2) // the counter began anew
	if rates := h.last(now.Add(33*time.Second), 1); rates[0] != 2 {
		t.Errorf("a new counter is %v", rates)
	}
	if got := spark([]float64{0, 1, unknown, 8}, 6, 1)[0]; got != "  ▁▁ █" {
		t.Errorf("it is drawn as %q", got)
	}
}

func TestColorsAreOfTheTerminal(t *testing.T) {
	t.Parallel()
	light, dark, few := newPaint(false, true), newPaint(true, true), newPaint(true, false)
	if light.chosen == dark.chosen || light.warn == dark.warn {
		t.Error("light and dark are the same")
	}
	if !few.plainChosen || few.chosen != "\x1b[7m" {
		t.Errorf("16 colors choose by %q", few.chosen)
	}
	line := dark.row("a "+dark.bad.of("b")+" c", true, 8)
	if cells.Width(line) != 8 || !strings.HasSuffix(line, endOfInk) {
		t.Errorf("a chosen row is %q", line)
	}
	// behind each end of a style, the row's own begins again
	if strings.Count(line, string(dark.chosen)) != 2 {
		t.Errorf("the row's background has holes: %q", line)
	}
}

func TestHelpHasEveryKeyOnce(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, g := range newKeyMap().groups(false) {
		for _, b := range g.keys {
			for _, k := range b.Keys() {
				if other, twice := seen[k]; twice {
					t.Errorf("%q is %q and %q", k, other, b.Help().Desc)
				}
				seen[k] = b.Help().Desc
			}
			upper := b.Keys()[0] != strings.ToLower(b.Keys()[0])
			if acts := g.title == "Act, after a question"; acts != upper {
				t.Errorf("%s is in %s", b.Keys()[0], g.title)
			}
		}
	}
}

func ids(ns ...int) []uuid.UUID {
	var list []uuid.UUID
	for _, n := range ns {
		list = append(list, jobID(n))
	}
	return list
}

// TestWhatWasNeverReadIsNotEmpty: "none" would be a lie.
func TestWhatWasNeverReadIsNotEmpty(t *testing.T) {
	t.Parallel()
	p := empty()
	p.Services, p.Workers, p.Queues, p.Events = nil, nil, nil, nil
	p.Faults = map[monitor.Part]monitor.Fault{}
	for _, part := range []monitor.Part{
		monitor.Jobs, monitor.Queues, monitor.Workers, monitor.Services, monitor.Events,
	} {
		p.Faults[part] = monitor.Fault{Message: "no answer in time"}
	}
	s := setup(t, p).look()
	for key, lies := range map[string][]string{
		"1": {"none", "no job", "0 of 0"}, "3": {"No queues"}, "4": {"No worker"}, "5": {"No service"},
		"7": {"Nothing has"},
	} {
		s.press(key)
		s.shows("no answer in time")
		for _, lie := range lies {
			s.hides(lie)
		}
	}
}
