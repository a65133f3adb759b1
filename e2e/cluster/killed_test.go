//go:build e2e

package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
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
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestKilledInEveryPhase(t *testing.T) {
	l := newLab(t, "wchkill")
	var have *identity
	killed := map[string]int{}
	for _, name := range phases() {
		if name == "conditions" {
			// By now they hold, so the run would end here.
			l.scaleDNS(0)
		}
		for _, moment := range moments(name) {
			if !l.killIn(name, moment) {
				break // it has ended, so the next phase begins
			}
			killed[name]++
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
	l.scaleDNS(2)
	for _, name := range phases() {
		// The first moment of a phase is its beginning, so it cannot be missed.
		if killed[name] == 0 {
			t.Errorf("no run was killed in %s", name)
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
	eventually(t, loginsEnd, func() error { return goOn(l.logins) })
}

// loginsEnd is after what Ansible keeps an idle login for.
const loginsEnd = 2 * time.Minute

// phases are the names of all, in order.
func phases() []string {
	var names []string
	for _, p := range phase.List() {
		names = append(names, p.Name())
	}
	return names
}

// scaleDNS takes the cluster's DNS away, or gives it back. It asks on the control plane, as a run that
// was killed may have written no kubeconfig here.
func (l *lab) scaleDNS(replicas int) {
	l.t.Helper()
	l.on(l.node("control-plane"), fmt.Sprintf("KUBECONFIG=/etc/kubernetes/admin.conf "+
		"kubectl --namespace kube-system scale deployment/coredns --replicas=%d", replicas))
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
