package runview

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
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

var phases = []Phase{
	{"machines", "Make the machines"},
	{"preflight", "Check the machines"},
	{"host", "Prepare the hosts"},
	{"containerd", "Install containerd"},
	{"packages", "Install Kubernetes"},
	{"control-plane", "Start the control plane"},
	{"network", "Install the pod network"},
	{"workers", "Join the workers"},
	{"labels", "Label the nodes"},
	{"metrics", "Install metrics-server"},
	{"kubeconfig", "Write the kubeconfig"},
	{"conditions", "Wait for the cluster"},
}

func at(s float64) time.Time { return time.Unix(1_000_000, 0).Add(seconds(s)).UTC() }

// events are those of a run that is in the middle of its fourth phase.
func events() []event.Event {
	total := len(phases)
	list := []event.Event{
		{Time: at(0), Kind: event.RunStarted, Text: "wcctl up demo", Log: ".wastecoach/logs/x-up.log"},
		{Time: at(0), Kind: event.PhaseSkipped, Phase: "machines", Done: 1, Total: total},
		{Time: at(1), Kind: event.PhaseStarted, Phase: "preflight", Task: "Check the machines", Done: 1, Total: total},
		{Time: at(2), Kind: event.Warning, Phase: "preflight", Host: "demo-worker-2", Text: "only 1 CPU"},
		{Time: at(2), Kind: event.Warning, Phase: "preflight", Host: "demo-worker-2", Text: "only 1 CPU"},
		{Time: at(2.2), Kind: event.PhaseFinished, Phase: "preflight", Seconds: 1.2, Done: 2, Total: total},
		{Time: at(2.2), Kind: event.PhaseStarted, Phase: "host", Task: "Prepare the hosts", Done: 2, Total: total},
		{Time: at(15), Kind: event.PhaseFinished, Phase: "host", Seconds: 12.8, Done: 3, Total: total},
		{
			Time: at(15), Kind: event.PhaseStarted, Phase: "containerd", Task: "Install containerd",
			Done: 3, Total: total,
		},
	}
	for _, host := range []string{"demo-control-plane", "demo-worker-1", "demo-worker-2"} {
		list = append(list, event.Event{
			Time: at(16), Kind: event.TaskStarted, Phase: "containerd", Host: host,
			Task: "Unpack the release below /usr/local, which takes a while on a slow disk",
		})
	}
	return append(list,
		event.Event{
			Time: at(18), Kind: event.TaskFinished, Phase: "containerd", Host: "demo-worker-1",
			Task: "Unpack the release below /usr/local, which takes a while on a slow disk", Changed: true,
		},
		event.Event{
			Time: at(19), Kind: event.TaskStarted, Phase: "containerd", Host: "demo-worker-1",
			Task: "Start \x1b[31mcontainerd\x1b[0m\n",
		})
}

func newScreen(width, height int, list []event.Event) *screen {
	s := &screen{
		board: newBoard(phases), now: func() time.Time { return at(75) },
		width: startWidth, height: startRows, paint: newPaint(false),
	}
	for _, e := range list {
		s.Update(e)
	}
	s.Update(tea.WindowSizeMsg{Width: width, Height: height})
	return s
}

func TestScreensFitTheirTerminal(t *testing.T) {
	t.Parallel()
	failure := append(events(), event.Event{
		Time: at(21), Kind: event.PhaseFailed, Phase: "containerd", Host: "demo-worker-2", Seconds: 6,
		Text: "demo-worker-2: no space left on /var",
	})
	for name, list := range map[string][]event.Event{"running": events(), "failed": failure} {
		for _, size := range [][2]int{{80, 24}, {160, 50}} {
			got := newScreen(size[0], size[1], list).View().Content + "\n"
			fits(t, got, size[0], size[1])
			golden(t, fmt.Sprintf("%s_%dx%d.txt", name, size[0], size[1]), got)
		}
	}
}

func fits(t *testing.T, screen string, width, height int) {
	t.Helper()
	if n := strings.Count(screen, "\n"); n >= height {
		t.Errorf("%d lines on %d rows:\n%s", n, height, screen)
	}
	for line := range strings.Lines(screen) {
		if n := ansi.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
			t.Errorf("%d columns, want at most %d: %q", n, width, line)
		}
	}
}

func TestEverySizeHoldsTheScreen(t *testing.T) {
	t.Parallel()
	list := events()
	for n := range 30 {
		list = append(list,
			event.Event{Time: at(20), Kind: event.TaskStarted, Host: fmt.Sprintf("다른-worker-%d", n), Task: "작업"},
			event.Event{Time: at(20), Kind: event.Warning, Text: fmt.Sprintf("경고 %d", n)})
	}
	for width := 1; width < 170; width += 7 {
		for height := 2; height < 60; height += 5 {
			fits(t, newScreen(width, height, list).View().Content+"\n", width, height)
		}
	}
	small := newScreen(80, 24, list).View().Content
	if !strings.Contains(small, "more machines") || !strings.Contains(small, "conditions") {
		t.Errorf("24 rows lose phases or hide that machines are missing:\n%s", small)
	}
}

func TestColorsComeOnlyWhenWanted(t *testing.T) {
	t.Parallel()
	for _, colored := range []bool{true, false} {
		s := newScreen(80, 24, events())
		s.paint = newPaint(colored)
		if got := strings.Contains(s.View().Content, "\x1b["); got != colored {
			t.Errorf("colored %v: escapes %v", colored, got)
		}
		fits(t, s.View().Content+"\n", 80, 24)
	}
}

func TestATerminalKeepsTheLastLook(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	view := NewTerminal(&out, phases, false)
	for _, e := range events() {
		view.Emit(e)
	}
	view.Emit(event.Event{Time: at(30), Kind: event.RunFinished, Text: "done"})
	view.Close()
	view.Close()
	text := out.String()
	end := text[strings.LastIndex(text, "wcctl up demo"):]
	for _, want := range []string{"30s", "✓ host", "conditions", "only 1 CPU"} {
		if !strings.Contains(end, want) {
			t.Errorf("%q is missing at the end:\n%s", want, end)
		}
	}
}

func TestPlainLinesSayThingsOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	view := NewPlain(&out)
	for _, e := range events() {
		view.Emit(e)
	}
	view.Emit(event.Event{
		Time: at(21), Kind: event.PhaseFailed, Phase: "containerd", Host: "demo-worker-2",
		Task: "Unpack the release", Text: "no space left on /var", Seconds: 6,
	})
	view.Emit(event.Event{Time: at(21), Kind: event.RunFinished, Text: "failed", Seconds: 21})
	view.Close()
	golden(t, "plain.txt", out.String())
}

func TestJSONIsOneEventPerLine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	view := NewJSON(&out)
	want := events()
	for _, e := range want {
		view.Emit(e)
	}
	view.Close()
	var got []event.Event
	for line := range strings.Lines(out.String()) {
		var e event.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, e)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v", got)
	}
}

func TestElapsedIsShort(t *testing.T) {
	t.Parallel()
	for s, want := range map[float64]string{
		-1: "0.0s", 0.44: "0.4s", 9.96: "10s", 59.4: "59s", 59.6: "1m00s", 185: "3m05s", 3720: "1h02m",
	} {
		if got := cells.Elapsed(seconds(s)); got != want {
			t.Errorf("%v s: %s, want %s", s, got, want)
		}
	}
}
