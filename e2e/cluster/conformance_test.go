//go:build e2e

package cluster

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	// wantedSpecs is how many must pass at least.
	wantedSpecs         = 40
	conformancePatience = 60 * time.Minute
	passedList          = "conformance/passed.txt"
)

var update = flag.Bool("update", false, "write the list of conformance specs that pass")

// TestConformance runs Kubernetes' own specs. Each that has passed once must go on to pass.
func TestConformance(t *testing.T) {
	l := newLab(t, "wchconf")
	l.up().wait().ok()
	l.wantReady(allRoles...)
	l.serveBundle()

	var passed []string
	for _, spec := range l.conformance() {
		switch spec.State {
		case "passed":
			passed = append(passed, spec.name())
		case "skipped":
		default:
			t.Errorf("%s: %s: %s", spec.name(), spec.State, spec.Failure.Message)
		}
	}
	slices.Sort(passed)
	t.Logf("%d specs passed", len(passed))
	if len(passed) < wantedSpecs {
		t.Errorf("%d specs passed, want %d at least", len(passed), wantedSpecs)
	}
	text := strings.Join(passed, "\n") + "\n"
	l.write("passed.txt", text)
	if *update {
		if err := os.WriteFile(passedList, []byte(text), 0o644); err != nil { //nolint:gosec // part of the checkout
			t.Fatal(err)
		}
	}
	for _, name := range lines(t, passedList) {
		if !slices.Contains(passed, name) {
			t.Errorf("%s did not pass this time", name)
		}
	}
}

// specReport is one spec in Ginkgo's JSON report.
type specReport struct {
	ContainerHierarchyTexts []string
	LeafNodeType            string
	LeafNodeText            string
	State                   string
	RunTime                 time.Duration
	Failure                 struct{ Message string }
}

func (s specReport) name() string {
	return strings.Join(append(slices.Clone(s.ContainerHierarchyTexts), s.LeafNodeText), " ")
}

// conformance runs e2e.test of the bundle and returns what became of each chosen spec.
func (l *lab) conformance() []specReport {
	l.t.Helper()
	program := l.testProgram("e2e.test")
	report := filepath.Join(l.logs, "conformance.json")
	args := []string{
		"--kubeconfig", filepath.Join(l.state(), "kubeconfig"), "--kubectl-path", l.file("kubectl"),
		"--provider", "skeleton", "--num-nodes", "2", "--disable-log-dump",
		"--ginkgo.no-color", "--ginkgo.v", "--ginkgo.timeout", conformancePatience.String(),
		"--ginkgo.label-filter", "Conformance", "--ginkgo.json-report", report,
	}
	for _, expression := range lines(l.t, "conformance/focus.txt") {
		args = append(args, "--ginkgo.focus", expression)
	}
	for _, expression := range lines(l.t, "conformance/skip.txt") {
		args = append(args, "--ginkgo.skip", expression)
	}
	run := l.run(conformancePatience+time.Minute, program, args...)
	l.write("conformance.log", run.Stdout+run.Stderr)
	l.t.Logf("conformance: %.0f s, exit code %d", run.Took.Seconds(), run.Code)
	data, err := os.ReadFile(report)
	if err != nil {
		l.t.Fatalf("%v\n%s", err, tail(run.Stdout+run.Stderr))
	}
	var suites []struct{ SpecReports []specReport }
	if err := json.Unmarshal(data, &suites); err != nil {
		l.t.Fatal(err)
	}
	var specs []specReport
	for _, suite := range suites {
		for _, spec := range suite.SpecReports {
			if spec.LeafNodeType == "It" || spec.State == "failed" {
				specs = append(specs, spec)
			}
		}
	}
	return specs
}

// testProgram unpacks a program from the bundle's archive of tests.
func (l *lab) testProgram(name string) string {
	l.t.Helper()
	archives, err := filepath.Glob(filepath.Join(l.bundle, "files", "kubernetes-test-*.tar.gz"))
	if err != nil || len(archives) != 1 {
		l.t.Fatalf("the bundle has no tests: was it made --with-tests? (%v)", err)
	}
	l.run(commandPatience, "tar", "-xzf", archives[0], "-C", l.dir, "--wildcards", "*/"+name).ok()
	var found string
	err = filepath.WalkDir(l.dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Name() == name {
			found = path
		}
		return err
	})
	if err != nil || found == "" {
		l.t.Fatalf("no %s in %s (%v)", name, archives[0], err)
	}
	return found
}

// lines are those of a file that are neither empty nor remarks.
func lines(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			kept = append(kept, line)
		}
	}
	if len(kept) == 0 && path != passedList {
		t.Fatal(fmt.Errorf("%s is empty", path))
	}
	return kept
}
