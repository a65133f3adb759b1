//go:build e2e

package cluster

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"
)

// TestDownLeavesNothing compares this computer before and after a cluster.
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestDownLeavesNothing(t *testing.T) {
	needComputer(t)
	testBundle(t) // its cache stays
	others := otherLabs(t)
	before := lookAround(t)
	l := newLab(t, "wchdown")
	l.up().wait().ok()
	l.wantReady(allRoles...)
	l.t.Run("network", l.testNetwork)

	during := lookAround(t)
	if len(before.differs(during)) < 20 {
		t.Fatalf("the comparison sees next to nothing of a whole cluster: %v", before.differs(during))
	}
	down := l.wcctl("down", "--yes", "--purge").ok()
	t.Logf("down: %.1f s\n%s", down.Took.Seconds(), down.Stdout)
	if machines := l.machines(); len(machines) > 0 {
		t.Errorf("machines are left: %v", machines)
	}
	if _, err := os.Stat(l.state()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the state folder is still there (%v)", err)
	}
	// The kernel takes a moment for namespaces and control groups.
	var left []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		left = l.leftovers(before, lookAround(t), len(others)+len(otherLabs(t)) > 0)
		if len(left) == 0 {
			return
		}
		<-time.After(time.Second)
	}
	t.Errorf("down left:\n%s", strings.Join(left, "\n"))
}

// leftovers leaves out the test's own folders and, where other clusters run here, what may be theirs.
func (l *lab) leftovers(before, after computer, crowded bool) []string {
	if crowded {
		l.t.Log("other clusters are on this computer: only what bears this one's name counts")
	}
	var left []string
	for _, line := range before.differs(after) {
		own := strings.Contains(line, l.name)
		folder := strings.Contains(line, "temporary file: "+l.dir) ||
			strings.Contains(line, "wastecoach-e2e-logs") || strings.Contains(line, "/TestDown") ||
			strings.Contains(line, "/go-build")
		if !folder && (own || !crowded) {
			left = append(left, line)
		}
	}
	return left
}
