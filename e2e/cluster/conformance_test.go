//go:build e2e

package cluster

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
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
//
//nolint:paralleltest // this computer holds one cluster at a time
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
		if err := os.WriteFile(passedList, []byte(text), 0o644); err != nil {
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
	log := filepath.Join(l.logs, "conformance.log")
	start := time.Now()
	// Its exit code says no more than the report does.
	ended := l.follow(log, conformancePatience+time.Minute, program, args...)
	l.t.Logf("conformance: %.0f s, %v; see %s", time.Since(start).Seconds(), ended, log)
	data, err := os.ReadFile(report)
	if err != nil {
		l.t.Fatal(err)
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

// follow runs a program that takes long; what it says is in a file as it comes, so that a run that is
// cut off has said what it knew.
func (l *lab) follow(log string, patience time.Duration, program string, args ...string) error {
	l.t.Helper()
	file, err := os.Create(log)
	if err != nil {
		l.t.Fatal(err)
	}
	defer file.Close()
	ctx, cancel := context.WithTimeout(l.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = l.dir, l.environ()
	cmd.Stdout, cmd.Stderr = file, file
	return cmd.Run()
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
