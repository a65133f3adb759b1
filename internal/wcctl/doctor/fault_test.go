package doctor

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
)

// samples are lines like "id: what a log says".
func samples(t *testing.T, name string) (lines []struct{ id, line string }) {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		id, line, found := strings.Cut(scanner.Text(), ": ")
		if !found {
			t.Fatalf("%s: %q", name, scanner.Text())
		}
		lines = append(lines, struct{ id, line string }{id, line})
	}
	return lines
}

func TestExplain(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{"pod-crashes": true} // it is for the table of pods alone
	for _, sample := range samples(t, "faults.txt") {
		seen[sample.id] = true
		fault, found := Explain("TASK [join]\n" + sample.line + "\nmore\n")
		if !found || fault.ID != sample.id {
			t.Errorf("%q is explained as %q, want %q", sample.line, fault.ID, sample.id)
		}
	}
	for _, sample := range samples(t, "facts.txt") {
		seen[sample.id] = true
		id := "none"
		if found := Diagnose([]Evidence{{Machine: "m", Source: factSource, Text: sample.line}}); len(found) > 0 {
			id = found[0].ID
		}
		if id != sample.id {
			t.Errorf("%q is %q, want %q", sample.line, id, sample.id)
		}
	}
	for _, fault := range Faults() {
		if !seen[fault.ID] {
			t.Errorf("no sample of %s", fault.ID)
		}
	}
}

func TestFaultsAreComplete(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, f := range Faults() {
		if f.ID == "" || f.Title == "" || f.Cause == "" || f.Hint == "" || len(f.signs) == 0 || ids[f.ID] {
			t.Errorf("%+v", f)
		}
		ids[f.ID] = true
		if strings.HasSuffix(f.Title, ".") || strings.HasSuffix(f.Cause, ".") {
			t.Errorf("%s ends with a full stop", f.ID)
		}
	}
}

// A hint to paste must name phases that there are.
func TestHintsNamePhases(t *testing.T) {
	t.Parallel()
	phases := phase.Names(phase.List())
	named := 0
	for _, f := range Faults() {
		for _, match := range regexp.MustCompile(`wcctl up --(?:from|only) (\S+)`).FindAllStringSubmatch(f.Hint, -1) {
			for name := range strings.SplitSeq(match[1], ",") {
				if named++; !slices.Contains(phases, name) {
					t.Errorf("%s: there is no phase %s", f.ID, name)
				}
			}
		}
	}
	if named == 0 {
		t.Error("no hint names a phase")
	}
}

// What a cluster logs while all is well shows no fault.
func TestHealthyLogsShowNothing(t *testing.T) {
	t.Parallel()
	paths, err := filepath.Glob("testdata/healthy/*.log")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		source := strings.TrimSuffix(filepath.Base(path), ".log")
		for _, f := range Diagnose([]Evidence{{Machine: "m", Source: source, Text: string(text), At: lastTime(text)}}) {
			if f.Current {
				t.Errorf("%s shows %s: %s", path, f.ID, f.Line)
			}
		}
	}
}

func lastTime(text []byte) time.Time {
	var last time.Time
	for line := range strings.Lines(string(text)) {
		if at, found := lineTime(line); found {
			last = at
		}
	}
	return last.Add(10 * time.Second)
}

func TestRecentAndEarlier(t *testing.T) {
	t.Parallel()
	const (
		full  = "mkdir /x: no space left on device"
		noNet = `"Container runtime network not ready" message:cni plugin not initialized"`
	)
	now := time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)
	row := func(before time.Duration, what string) string {
		return now.Add(-before).Format("2006-01-02T15:04:05-0700") + " m kubelet[1]: " + what + "\n"
	}
	for title, test := range map[string]struct {
		text    string
		id      string
		current bool
	}{
		"just now":       {row(time.Minute, full), "disk-full", true},
		"an hour ago":    {row(time.Hour, full), "disk-full", false},
		"without a time": {full, "disk-full", true},
		"while it starts": {
			row(time.Minute, noNet) + row(10*time.Second, noNet), "no-pod-network", false,
		},
		"long after its start": {
			row(time.Hour, noNet) + row(10*time.Second, noNet), "no-pod-network", true,
		},
		"passed": {row(time.Hour, noNet) + row(10*time.Minute, noNet), "no-pod-network", false},
	} {
		found := Diagnose([]Evidence{{Machine: "m", Source: "kubelet", Text: test.text, At: now}})
		if len(found) != 1 || found[0].ID != test.id || found[0].Current != test.current {
			t.Errorf("%s: %+v", title, found)
		}
	}
}

func TestDuplicateMachines(t *testing.T) {
	t.Parallel()
	text := "fact identity machine-id 8d3\n"
	found := Diagnose([]Evidence{
		{Machine: "a", Source: factSource, Text: text},
		{Machine: "b", Source: factSource, Text: text},
		{Machine: "c", Source: factSource, Text: "fact identity machine-id 9e4\n"},
	})
	if len(found) != 1 || found[0].Machine != "b" || !strings.Contains(found[0].Line, "as a has") {
		t.Errorf("%+v", found)
	}
}

func TestCurrentFindingsComeFirst(t *testing.T) {
	t.Parallel()
	found := Diagnose([]Evidence{
		{Machine: "b", Source: "kernel", Text: "kernel: Out of memory: Killed process 1"},
		{
			Machine: "a", Source: "kubelet", Text: "2026-11-23T10:00:00+0000 a kubelet[1]: no space left on device",
			At: time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC),
		},
		{Machine: "a", Source: "etcd", Text: "etcdserver: mvcc: database space exceeded"},
	})
	var ids []string
	for _, f := range found {
		ids = append(ids, f.ID)
	}
	if !slices.Equal(ids, []string{"etcd-no-space", "out-of-memory", "disk-full"}) {
		t.Error(ids)
	}
}
