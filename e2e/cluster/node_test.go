//go:build e2e

package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// TestNodes replaces a worker that died and removes one, on a cluster that carries traffic.
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestNodes(t *testing.T) {
	l := newLab(t, "wchnode")
	l.up().wait().ok()
	l.wantReady(allRoles...)
	before := l.identity()

	whole := t.Run("replace a dead worker", func(t *testing.T) {
		l := l.with(t)
		dead := l.node("worker-2")
		l.wcctl("machine", "power-cut", dead).ok()
		replaced := l.start("node", "replace", dead, "--bundle", l.bundle, "--yes").wait().ok()
		t.Logf("node replace: %.1f s: %s", replaced.Took.Seconds(), replaced.seconds())
		l.wantReady(allRoles...)
		after := l.identity()
		if after.nodes[dead] == before.nodes[dead] {
			t.Errorf("%s is still the node that died", dead)
		}
		delete(before.nodes, dead)
		before.kept(l, after)
		t.Run("network", l.testNetwork)
	})
	if !whole {
		t.Fatal("what follows needs the replaced worker")
	}
	t.Run("plan is empty", func(t *testing.T) { l.with(t).wcctl("plan", "--bundle", l.bundle).ok() })
	t.Run("remove with drain", l.testRemove)
}

// testRemove moves a pod away from the worker that goes.
func (l *lab) testRemove(t *testing.T) {
	l = l.with(t)
	gone := l.node("worker-2")
	l.serveBundle()
	l.apply(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: mover}
spec:
  selector: {matchLabels: {app: mover}}
  template:
    metadata: {labels: {app: mover}}
    spec:
      terminationGracePeriodSeconds: 1
      affinity:
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 100
              preference:
                matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [%s]}]
      containers: [{name: mover, image: %s, args: [pause]}]
`, gone, l.image("agnhost")))
	l.kubectl("rollout", "status", "deployment/mover", "--timeout", "120s")
	where := func() string {
		return l.kubectl("get", "pods", "--selector", "app=mover", "--field-selector", "status.phase=Running",
			"--output", "jsonpath={.items[*].spec.nodeName}").Stdout
	}
	if at := where(); at != gone {
		t.Fatalf("the pod is on %q, not on %s", at, gone)
	}
	removed := l.wcctl("node", "remove", gone, "--yes").ok()
	t.Logf("node remove: %.1f s", removed.Took.Seconds())
	l.wantReady("control-plane", "worker-1")
	eventually(t, 2*time.Minute, func() error {
		if at := where(); at != l.node("worker-1") {
			return fmt.Errorf("the pod runs on %q", at)
		}
		return nil
	})
	for _, m := range l.machines() {
		if strings.HasSuffix(m.Name, "worker-2") {
			t.Error("the machine is still there")
		}
	}
	// The file says what is wanted, so it must agree or up would bring the worker back.
	l.configure(func(c *spec.Cluster) {
		if c.Spec.Local.Workers != 1 {
			t.Errorf("%s wants %d workers", spec.FileName, c.Spec.Local.Workers)
		}
	})
	l.wcctl("plan", "--bundle", l.bundle).ok()
}
