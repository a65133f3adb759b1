//go:build e2e

package cluster

import (
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// TestFaults breaks machines on purpose: each fault must be named with a hint, and once it is gone
// up must finish.
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestFaults(t *testing.T) {
	l := newLab(t, "wchfault")
	l.until("machines") // so that there is something to break

	t.Run("wrong clock", func(t *testing.T) {
		l := l.with(t)
		worker := l.node("worker-1")
		l.wcctl("machine", "skew-clock", worker, "45m").ok()
		l.wantFailure("preflight", worker, "clock", "ahead of")
		l.wcctl("machine", "skew-clock", worker, "off").ok()
	})
	t.Run("full disk", func(t *testing.T) {
		l := l.with(t)
		worker := l.node("worker-2")
		l.wcctl("machine", "fill-disk", worker, "on").ok()
		l.wantFailure("preflight", worker, "disk is full")
		l.wcctl("machine", "fill-disk", worker, "off").ok()
	})
	t.Run("disk full while packages are installed", func(t *testing.T) {
		l := l.with(t)
		worker := l.node("worker-2")
		r := l.up()
		if !r.phase("packages") {
			t.Fatalf("no work in packages\n%s", tail(r.wait().Stdout))
		}
		l.wcctl("machine", "fill-disk", worker, "on").ok()
		failed := r.wait().code(1)
		l.named(failed, worker, "space")
		l.wcctl("machine", "fill-disk", worker, "off").ok()
	})
	t.Run("network cut in the middle of a task", func(t *testing.T) {
		l := l.with(t)
		machine := l.node("control-plane")
		r := l.up()
		r.task("control-plane", "Make the cluster")
		l.wcctl("machine", "cut-network", machine, "on").ok()
		failed := r.wait().code(1)
		l.named(failed, machine, "")
		l.wcctl("machine", "cut-network", machine, "off").ok()
		l.until("network")
	})
	t.Run("power cut during the join", func(t *testing.T) {
		l := l.with(t)
		worker := l.node("worker-1")
		r := l.up()
		r.task("workers", "Join the cluster")
		l.wcctl("machine", "power-cut", worker).ok()
		failed := r.wait().code(1)
		l.named(failed, worker, "")
		l.wcctl("machine", "start", worker).ok()
	})
	before := l.identity()
	last := l.up().wait().ok()
	t.Logf("the last up: %.1f s: %s", last.Took.Seconds(), last.seconds())
	l.wantReady(allRoles...)
	before.kept(l, l.identity())
	t.Run("network", l.testNetwork)
}

// until runs up and kills it when a phase has ended.
func (l *lab) until(phase string) {
	l.t.Helper()
	r := l.up()
	_, ok := r.until("end of "+phase, func(e event.Event) bool {
		return e.Phase == phase && (e.Kind == event.PhaseFinished || e.Kind == event.PhaseSkipped)
	})
	r.kill()
	if !ok {
		l.t.Fatalf("%s did not end\n%s", phase, tail(r.result().Stdout))
	}
}

// wantFailure runs up and wants it to name the machine and what is wrong with it.
func (l *lab) wantFailure(phase, machine string, words ...string) {
	l.t.Helper()
	failed := l.up().wait().code(1)
	e := failed.failure()
	if e.Phase != phase {
		l.t.Errorf("%s failed, not %s", e.Phase, phase)
	}
	l.named(failed, machine, words...)
}

// named checks a failed run's last word, in JSON and for a reader: host, cause, hint and log.
func (l *lab) named(failed ended, machine string, words ...string) {
	l.t.Helper()
	e := failed.failure()
	l.t.Logf("%s: %s: %s\n  try: %s", e.Phase, e.Host, e.Text, e.Hint)
	if e.Host != machine {
		l.t.Errorf("the failure is of %q, not of %s", e.Host, machine)
	}
	for _, word := range words {
		if !strings.Contains(e.Text, word) {
			l.t.Errorf("%q does not say %q", e.Text, word)
		}
	}
	if e.Hint == "" {
		l.t.Error("no hint")
	}
	if e.Log == "" {
		l.t.Error("no path of the full log")
	}
	if !strings.Contains(failed.Stderr, e.Text) || !strings.Contains(failed.Stderr, "try: ") {
		l.t.Errorf("a reader is not told: %s", failed.Stderr)
	}
	if failed.Took > 10*time.Minute {
		l.t.Errorf("it took %s to fail", failed.Took)
	}
}
