//go:build e2e

package cluster

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// TestBackup loses the control plane and brings it back, with pods that run on meanwhile.
//
//nolint:paralleltest // this computer holds one cluster at a time
func TestBackup(t *testing.T) {
	l := newLab(t, "wchback")
	l.up().wait().ok()
	l.wantReady(allRoles...)
	before := l.identity()
	l.work()
	pods := l.processes()
	l.makeObjects()

	var taken backup.Backup
	create := l.wcctl("backup", "create", "--output", "json").ok()
	create.into(&taken)
	t.Logf("backup create: %.1f s, of them %.1f s on the machine; %d bytes, etcd %d bytes, %d keys",
		create.Took.Seconds(), taken.Seconds, taken.Bytes, taken.Etcd.Bytes, taken.Etcd.Keys)
	l.wcctl("backup", "verify", taken.File).ok()
	if text := l.wcctl("status").ok().Stdout; !strings.Contains(text, "the newest is less than an hour old") {
		t.Errorf("status does not tell of the backup:\n%s", text)
	}
	l.kubectl("create", "configmap", "after")
	l.wcctl("backup", "restore", taken.File, "--bundle", l.bundle, "--yes").code(1)

	check := func(t *testing.T) {
		l := l.with(t)
		l.wantReady(allRoles...)
		before.kept(l, l.identity())
		l.wantObjects()
		if now := l.processes(); !slices.Equal(now, pods) {
			t.Errorf("the pods' processes are\n%s\nand were\n%s", strings.Join(now, "\n"), strings.Join(pods, "\n"))
		}
		l.kubectl("create", "configmap", "after")
		if plan := l.wcctl("plan", "--bundle", l.bundle); plan.Code != 0 {
			t.Errorf("the plan is not empty:\n%s%s", plan.Stdout, plan.Stderr)
		}
	}
	whole := t.Run("a lost machine", func(t *testing.T) {
		l.with(t).lose(taken.File)
		run := l.with(t).restore(taken.File).wait().ok()
		t.Logf("restore of a lost machine: %.1f s: %s", run.Took.Seconds(), run.seconds())
		check(t)
	})
	if !whole {
		t.Fatal("what follows needs the cluster")
	}
	t.Run("killed in the middle", func(t *testing.T) {
		l := l.with(t)
		l.lose(taken.File)
		for _, moment := range []struct {
			phase string
			after time.Duration
		}{{"packages", 0}, {"restore", 0}, {"restore", 3 * time.Second}, {"control-plane", 5 * time.Second}} {
			l.killRestore(taken.File, moment.phase, moment.after)
		}
		run := l.restore(taken.File).wait().ok()
		t.Logf("the last restore after four kills: %.1f s: %s", run.Took.Seconds(), run.seconds())
		check(t)
	})
	t.Run("a broken etcd", func(t *testing.T) {
		l := l.with(t)
		control := l.node("control-plane")
		l.on(control, "echo nonsense >/var/lib/etcd/member/snap/db && pkill --signal KILL --exact etcd")
		eventually(t, time.Minute, func() error {
			if r := l.tryKubectl("get", "--raw", "/readyz"); r.Code == 0 {
				return fmt.Errorf("the API server is ready without etcd")
			}
			return nil
		})
		run := l.restore(taken.File).wait().ok()
		t.Logf("restore over a broken etcd: %.1f s: %s", run.Took.Seconds(), run.seconds())
		check(t)
		if kept := l.on(control, "cat /var/lib/etcd/replaced-*/snap/db"); !strings.Contains(kept, "nonsense") {
			t.Errorf("the broken data was not kept: %q", kept)
		}
	})
}

// work runs pods on both workers.
func (l *lab) work() {
	l.t.Helper()
	l.serveBundle()
	l.apply(fmt.Sprintf(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: steady}
spec:
  replicas: 4
  selector: {matchLabels: {app: steady}}
  template:
    metadata: {labels: {app: steady}}
    spec:
      topologySpreadConstraints:
        - {maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, nodeTaintsPolicy: Honor,
           labelSelector: {matchLabels: {app: steady}}}
      containers: [{name: steady, image: %s, args: [pause]}]
`, l.image("agnhost")))
	l.kubectl("rollout", "status", "deployment/steady", "--timeout", "180s")
}

// processes are the pods' containers with their process on the worker and its start: it is asked there,
// not the API, which may repeat what it once heard.
func (l *lab) processes() []string {
	l.t.Helper()
	var list corev1.PodList
	l.kubectl("get", "pods", "--selector", "app=steady", "--output", "json").into(&list)
	var found []string
	for _, p := range list.Items {
		if len(p.Status.ContainerStatuses) == 0 {
			l.t.Fatalf("pod %s has no container", p.Name)
		}
		id := strings.TrimPrefix(p.Status.ContainerStatuses[0].ContainerID, "containerd://")
		process := l.on(p.Spec.NodeName, fmt.Sprintf("pid=$(ctr --namespace k8s.io tasks ls 2>/dev/null | "+
			"awk '$1 == \"%s\" && $3 == \"RUNNING\" {print $2}') && stat --format \"$pid %%Y\" /proc/$pid", id))
		found = append(found, fmt.Sprintf("%s on %s: %s", p.Name, p.Spec.NodeName, strings.TrimSpace(process)))
	}
	slices.Sort(found)
	if len(found) != 4 {
		l.t.Errorf("%d pods: %v", len(found), found)
	}
	return found
}

// lose deletes the control plane's machine, and sees that up does not make another cluster.
func (l *lab) lose(file string) {
	l.t.Helper()
	l.wcctl("machine", "delete", l.node("control-plane")).ok()
	refused := l.wcctl("up", "--bundle", l.bundle, "--yes").code(1)
	for _, want := range []string{"the control plane is gone", "wcctl backup restore " + file} {
		if !strings.Contains(refused.Stderr, want) {
			l.t.Errorf("up does not say %q:\n%s", want, refused.Stderr)
		}
	}
}

func (l *lab) restore(file string) *running {
	l.t.Helper()
	return l.start("backup", "restore", filepath.Base(file), "--bundle", l.bundle, "--yes")
}

// killRestore ends a restore some time after a phase has begun, wherever it is by then.
func (l *lab) killRestore(file, phase string, after time.Duration) {
	l.t.Helper()
	r := l.restore(file)
	r.phase(phase)
	select {
	case <-time.After(after):
	case <-r.ended:
	}
	r.kill()
	for _, e := range r.result().events() {
		if e.Kind == event.PhaseFailed {
			l.t.Fatalf("killed in %s %s: %s: %s", phase, after, e.Phase, e.Text)
		}
	}
}

// makeObjects makes what a backup shall have.
func (l *lab) makeObjects() {
	l.t.Helper()
	l.kubectl("create", "configmap", "before")
	l.kubectl("create", "secret", "generic", "before", "--from-literal=word=kept")
}

// wantObjects wants what was there when the backup was taken, and nothing that came later.
func (l *lab) wantObjects() {
	l.t.Helper()
	l.kubectl("get", "configmap", "before")
	if word := l.kubectl("get", "secret", "before", "--output", "go-template={{.data.word}}").Stdout; word != "a2VwdA==" {
		l.t.Errorf("the secret reads %q", word)
	}
	if later := l.tryKubectl("get", "configmap", "after"); later.Code == 0 {
		l.t.Error("what came after the backup is there")
	}
	// Controllers, kubelets and the network work on the present.
	l.kubectl("create", "deployment", "fresh", "--image", l.image("agnhost"), "--replicas", "2")
	l.kubectl("rollout", "status", "deployment/fresh", "--timeout", "120s")
	l.kubectl("delete", "deployment", "fresh", "--wait")
}
