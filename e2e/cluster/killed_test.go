//go:build e2e

package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// moments are when a phase is cut off, after it has begun. Most are short; the others are cut in
// their middle too, where kubeadm works.
func moments(phase string) []time.Duration {
	const s = time.Second
	switch phase {
	case "containerd", "packages", "network", "metrics":
		return []time.Duration{0, 2 * s}
	case "control-plane":
		return []time.Duration{0, 2 * s, 6 * s, 12 * s, 20 * s}
	case "workers":
		return []time.Duration{0, 2 * s, 4 * s, 8 * s}
	default:
		return []time.Duration{0}
	}
}

// TestKilledInEveryPhase makes one cluster by runs that are killed with SIGKILL, each in the next
// phase or later in the same one, and wants it whole, with nothing made twice.
func TestKilledInEveryPhase(t *testing.T) {
	l := newLab(t, "wchkill")
	var have *identity
	killed := map[string]int{}
	for _, phase := range l.phases() {
		for _, moment := range moments(phase) {
			if !l.killIn(phase, moment) {
				break // it has ended, so the next phase begins
			}
			killed[phase]++
			if have != nil {
				have.kept(l, l.identity())
			}
		}
		if l.clusterIsMade() {
			now := l.identity()
			if have != nil {
				have.kept(l, now)
			}
			have = &now
		}
	}
	for _, phase := range l.phases() {
		// The first moment of a phase is its beginning, so it cannot be missed.
		if killed[phase] == 0 {
			t.Errorf("no run was killed in %s", phase)
		}
	}
	t.Logf("killed: %v", killed)
	last := l.up().wait().ok()
	t.Logf("the last up: %.1f s: %s", last.Took.Seconds(), last.seconds())
	l.wantReady(allRoles...)
	if have == nil {
		t.Fatal("there was no cluster before the last run")
	}
	have.kept(l, l.identity())
	if again := l.up().wait().ok().worked(); len(again) > 0 {
		t.Errorf("then up has work in %v", again)
	}
	t.Run("network", l.testNetwork)
}

// phases are the names of all, in order, as the plan of a cluster that is not there yet says.
func (l *lab) phases() []string {
	return []string{
		"machines", "preflight", "host", "containerd", "packages", "control-plane", "network", "workers",
		"labels", "metrics", "kubeconfig", "conditions",
	}
}

// killIn starts up and kills it some time after the phase has begun; false if the phase ended before.
func (l *lab) killIn(phase string, after time.Duration) bool {
	l.t.Helper()
	r := l.up()
	if !r.phase(phase) {
		r.kill()
		return false
	}
	ended := make(chan bool, 1)
	go func() {
		_, ok := r.until("end of "+phase, func(e event.Event) bool {
			return e.Phase == phase && (e.Kind == event.PhaseFinished || e.Kind == event.PhaseFailed)
		})
		ended <- ok
	}()
	timer := time.NewTimer(after)
	defer timer.Stop()
	select {
	case <-timer.C:
		r.kill()
		return true
	case ok := <-ended:
		r.kill()
		if result := r.result(); ok && len(result.events()) > 0 {
			for _, e := range result.events() {
				if e.Kind == event.PhaseFailed {
					l.t.Fatalf("after a kill in %s up failed: %s: %s", phase, e.Host, e.Text)
				}
			}
		}
		l.t.Logf("%s ended before it was %s old", phase, after)
		return false
	}
}

// clusterIsMade tells that the control plane has its own record of being done.
func (l *lab) clusterIsMade() bool {
	l.t.Helper()
	if len(l.machines()) == 0 {
		return false
	}
	r := l.wcctl("machine", "exec", l.node("control-plane"), "--", "sh", "-c", fmt.Sprintf(
		"test -e %s/control-plane.json && echo done", "/var/lib/wastecoach/phases"))
	return r.Stdout == "done\n"
}
