package phase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

const older, newer = "1.36.3", "1.37.2"

// fetch is the role: it leaves programs that play the release.
func (w *world) fetch(host string) {
	for name, text := range map[string]string{
		"kubelet": "#!/bin/sh\necho Kubernetes v" + newer + "\n",
		"kubectl": "#!/bin/sh\nexit 0\n",
		"kubeadm": "#!/bin/sh\necho \"kubeadm $*\" >>" + w.dir + "/" + host + "/kubeadm.calls\n" +
			"echo '[upgrade] at work'\n" +
			"if [ -e " + w.dir + "/" + host + "/broken ]; then echo 'error: etcd is ill'; exit 1; fi\n" +
			"if [ $2 = apply ]; then echo ${3#v} >" + w.dir + "/server; fi\n",
	} {
		path := filepath.Join(w.dir, host, "cache-"+newer+"-"+name)
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			w.t.Fatal(err)
		}
	}
}

// live is the API of a world.
type live struct {
	w       *world
	calls   []string
	closed  map[string]bool
	fails   map[string]error
	hazards []kube.Hazard
	// leads is how often it was asked who leads.
	leads int
	// away is how often the API server goes just when a node is to be opened.
	away  int
	saved int
}

func (l *live) Release() (string, error) {
	text, err := os.ReadFile(filepath.Join(l.w.dir, "server"))
	if err != nil {
		return older, nil //nolint:nilerr // nobody has upgraded it
	}
	return trimmed(string(text)), nil
}

func (l *live) Kubelets(context.Context) ([]kube.Kubelet, error) {
	var list []kube.Kubelet
	for _, m := range l.w.machines() {
		k := kube.Kubelet{Node: m.Name, Release: older, Ready: true, Closed: l.closed[m.Name]}
		if _, err := os.Stat(filepath.Join(l.w.dir, m.Name, "lib", "started", "kubelet.service")); err == nil {
			k.Release = newer
		}
		list = append(list, k)
	}
	return list, nil
}

func (l *live) Hazards(context.Context, string) ([]kube.Hazard, error) { return l.hazards, nil }

func (l *live) Leads(context.Context) (map[string]time.Time, error) {
	l.leads++
	if l.leads == 2 { // it went once more
		return nil, io.ErrUnexpectedEOF
	}
	return map[string]time.Time{"kube-scheduler": time.Unix(int64(l.leads), 0)}, nil
}

func (l *live) CloseNode(_ context.Context, node string) error {
	l.calls = append(l.calls, "close "+node)
	l.closed[node] = true
	return nil
}

func (l *live) OpenNode(_ context.Context, node string) error {
	if l.away > 0 {
		l.away--
		return &url.Error{Op: "Patch", URL: "https://api", Err: io.ErrUnexpectedEOF}
	}
	l.calls = append(l.calls, "open "+node)
	delete(l.closed, node)
	return nil
}

func (l *live) Drain(_ context.Context, o kube.DrainOptions) error {
	l.calls = append(l.calls, "drain "+o.Node)
	if !o.KeepBound {
		return errors.New("pods that only wait would be moved")
	}
	return l.fails[o.Node]
}

// settled is the phase that writes the release down.
type settled struct{ l *live }

func (settled) Name() string  { return "declare" }
func (settled) Title() string { return "Declare" }
func (settled) About() string { return "" }
func (settled) Place() Place  { return Here }

func (s settled) Pending(context.Context, *Run) ([]Change, error) {
	if slices.Contains(s.l.calls, "declare") {
		return nil, nil
	}
	return []Change{{Phase: "declare", What: "declare"}}, nil
}

func (s settled) Apply(context.Context, *Run, []Change) error {
	s.l.calls = append(s.l.calls, "declare")
	return nil
}

// newOldWorld is a cluster of the older release that is wanted to be of the newer.
func newOldWorld(t *testing.T) (*world, *live) {
	t.Helper()
	w := newFinishedWorld(t)
	w.cluster.Spec.Kubernetes.Version = newer
	w.vars.Values["wc_version"] = newer
	service, err := os.ReadFile("../../../infra/ansible/files/service.sh")
	if err != nil {
		t.Fatal(err)
	}
	w.ansible["files/service.sh"] = &fstest.MapFile{Data: service}
	own := filepath.Join(w.dir, control, "lib", "control-plane")
	if err := os.MkdirAll(own, 0o700); err != nil {
		t.Fatal(err)
	}
	settings := "clusterName: demo\nkubernetesVersion: v" + older + "\nother: v" + older + "\n"
	if err := os.WriteFile(filepath.Join(own, "settings"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	return w, &live{w: w, closed: map[string]bool{}, fails: map[string]error{}}
}

// upgrading is a new process of `wcctl upgrade`.
func (w *world) upgrading(l *live, force bool) *Runner {
	w.t.Helper()
	u := &Upgrade{
		Force: force, Settle: settled{l}, Live: func(*Run) (Live, error) { return l, nil },
		Save: func(_ context.Context, _ Shell, machine string) (string, error) {
			l.saved++
			l.calls = append(l.calls, "save "+machine)
			return "the-backup", nil
		},
	}
	runner := w.runner()
	runner.Phases = append(u.Phases(), Rest()...)
	// The control plane's own tools.
	if err := writeProgram(filepath.Join(w.dir, control, "bin", "kubectl"), "#!/bin/sh\nexit 0\n"); err != nil {
		w.t.Fatal(err)
	}
	return runner
}

func (w *world) read(path ...string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{w.dir}, path...)...))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		w.t.Fatal(err)
	}
	return string(text)
}

func nodeCalls(names ...string) []string {
	var calls []string
	for _, n := range names {
		calls = append(calls, "close "+n, "drain "+n, "open "+n)
	}
	return calls
}

func TestAnUpgradeComesInOrderAndEnds(t *testing.T) {
	t.Parallel()
	w, l := newOldWorld(t)
	if _, err := w.upgrading(l, false).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, l.calls, append([]string{"save " + control, "declare"},
		nodeCalls(control, "demo-worker-1", "demo-worker-2")...))
	equal(t, w.played[:3], []string{"fetch " + control, "fetch demo-worker-1", "fetch demo-worker-2"})
	if got := w.read(control, "kubeadm.calls"); got !=
		"kubeadm upgrade apply v1.37.2 --yes --ignore-preflight-errors CreateJob,SystemVerification\n" {
		t.Errorf("on the control plane: %s", got)
	}
	if got := w.read("demo-worker-2", "kubeadm.calls"); got !=
		"kubeadm upgrade node --ignore-preflight-errors CreateJob,SystemVerification\n" {
		t.Errorf("on a worker: %s", got)
	}
	if got := w.read(control, "lib", "control-plane", "settings"); got !=
		"clusterName: demo\nkubernetesVersion: v1.37.2\nother: v1.36.3\n" {
		t.Errorf("the settings are %s", got)
	}
	if got := w.read(control, "lib", "cluster.json"); !strings.Contains(got, `"spec.kubernetes.version":"1.37.2"`) ||
		!strings.Contains(got, `"metadata.name":"demo"`) {
		t.Errorf("the cluster is %s", got)
	}
	plan, err := w.upgrading(l, false).Plan(t.Context())
	if err != nil || plan.Changes() > 0 {
		t.Errorf("then the plan is %+v, %v", plan, err)
	}
	equal(t, w.plan(), []string{})
}

func TestAnUpgradeThatKubeadmRefusesGoesOn(t *testing.T) {
	t.Parallel()
	w, l := newOldWorld(t)
	broken := filepath.Join(w.dir, control, "broken")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := w.upgrading(l, false).Up(t.Context())
	var failed *Error
	if !errors.As(err, &failed) || failed.Phase != upgradeName || failed.Host != control ||
		!strings.Contains(err.Error(), "kubeadm upgrade did not end well: error: etcd is ill") ||
		!strings.Contains(err.Error(), "at work") || !strings.HasPrefix(failed.Hint, "wcctl upgrade # goes on") {
		t.Fatalf("%v, %+v", err, failed)
	}
	if begun := w.read(control, "lib", "control-plane", "upgrading"); begun != newer+"\n" {
		t.Errorf("the machine notes %q", begun)
	}
	w.cluster.Spec.Kubernetes.Version = "1.37.9"
	if _, err := w.upgrading(l, false).Plan(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "an upgrade to 1.37.2 has begun") {
		t.Errorf("another release: %v", err)
	}
	w.cluster.Spec.Kubernetes.Version = newer
	if err := os.Remove(broken); err != nil {
		t.Fatal(err)
	}
	if _, err := w.upgrading(l, false).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.saved != 1 {
		t.Errorf("%d backups were taken", l.saved)
	}
}

func TestAPodThatMayNotGoStopsTheUpgradeThere(t *testing.T) {
	t.Parallel()
	w, l := newOldWorld(t)
	l.fails["demo-worker-1"] = &kube.ProtectedError{Pods: []string{"waste/api-1"}}
	_, err := w.upgrading(l, false).Up(t.Context())
	var failed *Error
	if !errors.As(err, &failed) || failed.Phase != nodesName || failed.Host != "demo-worker-1" ||
		!strings.Contains(err.Error(), "waste/api-1") || !strings.Contains(failed.Hint, "--timeout") {
		t.Fatalf("%v, %+v", err, failed)
	}
	if len(l.closed) > 0 || slices.Contains(l.calls, "close demo-worker-2") {
		t.Errorf("closed %v, calls %q", l.closed, l.calls)
	}
	delete(l.fails, "demo-worker-1")
	l.calls = []string{"declare"}
	if _, err := w.upgrading(l, false).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, l.calls, append([]string{"declare"}, nodeCalls("demo-worker-1", "demo-worker-2")...))
}

func TestANodeThatAKilledRunLeftClosedIsOpened(t *testing.T) {
	t.Parallel()
	w, l := newOldWorld(t)
	if _, err := w.upgrading(l, false).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.calls, l.closed["demo-worker-2"] = []string{"declare"}, true
	if _, err := w.upgrading(l, false).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, l.calls, []string{"declare", "open demo-worker-2"})
}

func TestTheAPIServerMayGoWhileANodeIsUpgraded(t *testing.T) {
	t.Parallel()
	w, l := newOldWorld(t)
	l.away = 2
	if _, err := w.upgrading(l, false).Up(t.Context()); err != nil || l.away != 0 || len(l.closed) > 0 {
		t.Errorf("%v; it was away %d times too few, closed are %v", err, l.away, l.closed)
	}
	if l.leads < 4 {
		t.Errorf("after %d questions, one without an answer, the control plane stood still", l.leads)
	}
}

func TestAnUpgradeIsCheckedFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		hazard kube.Hazard
		unmet  *kube.Condition
		force  bool
		want   string
	}{
		{hazard: kube.Hazard{Text: "it warns"}},
		{hazard: kube.Hazard{Text: "it blocks", Blocks: true}, want: "it blocks"},
		{hazard: kube.Hazard{Text: "it blocks", Blocks: true}, force: true},
		{unmet: &kube.Condition{Name: "dns", State: kube.Failing, Message: "no answer"}, want: "dns: no answer"},
		{unmet: &kube.Condition{Name: "versions", State: kube.Failing, Message: "others"}},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			t.Parallel()
			w, l := newOldWorld(t)
			l.hazards = []kube.Hazard{c.hazard}
			if c.unmet != nil {
				w.unmet = []kube.Condition{*c.unmet}
			}
			runner := w.upgrading(l, c.force)
			runner.Phases = runner.Phases[:2]
			_, err := runner.Up(t.Context())
			if c.want == "" {
				if err != nil || l.saved != 1 {
					t.Errorf("%v, %d backups", err, l.saved)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || l.saved > 0 {
				t.Errorf("%v, %d backups", err, l.saved)
			}
		})
	}
}

func TestReleasesFollowEachOther(t *testing.T) {
	t.Parallel()
	down := errors.New("no answer")
	for _, c := range []struct {
		s        stand
		to, want string
	}{
		{stand{server: "1.36.3"}, "1.37.2", ""},
		{stand{server: "1.36.3"}, "1.36.9", ""},
		{stand{server: "1.37.2", kubelets: map[string]kube.Kubelet{"n": {Node: "n", Release: "1.36.3"}}}, "1.37.2", ""},
		{stand{server: "1.36.3"}, "1.38.0", "1.38.0 is more than one minor release away"},
		{
			stand{server: "1.37.2", kubelets: map[string]kube.Kubelet{"n": {Node: "n", Release: "1.36.3"}}},
			"1.38.0",
			"n has 1.36.3, and 1.38.0 is more",
		},
		{stand{server: "1.37.2"}, "1.36.3", "does not go back to 1.36.3"},
		{stand{server: "1.36.9"}, "1.36.3", "does not go back to 1.36.3"},
		{stand{server: "1.36.3"}, "2.0.0", "more than one minor release away"},
		{stand{serverErr: down}, "1.37.2", "the API server cannot be asked: no answer"},
		{stand{serverErr: down, begun: "1.37.2"}, "1.37.2", ""},
		{stand{server: "1.36.3", begun: "1.37.1"}, "1.37.2", "an upgrade to 1.37.1 has begun"},
	} {
		err := (&Upgrade{}).mayFollow(&c.s, c.to)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v to %s: %v", c.s, c.to, err)
		}
	}
}

func TestUpLeavesReleasesToUpgrade(t *testing.T) {
	t.Parallel()
	w, _ := newOldWorld(t)
	_, err := w.runner().Plan(t.Context())
	var failed *Error
	if !errors.As(err, &failed) || !strings.HasPrefix(failed.Hint, "wcctl upgrade\n") ||
		!strings.Contains(err.Error(), "the file wants Kubernetes 1.37.2, and the cluster has 1.36.3") {
		t.Errorf("%v, %+v", err, failed)
	}
	if len(w.played) > 0 {
		t.Errorf("played %q", w.played)
	}
}

func TestARestoreMayGoBackToAnOlderRelease(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.cluster.Spec.Kubernetes.Version = "1.36.1"
	b := w.backup()
	if _, err := w.restoring(b, "first", true).Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	restores := false
	w.play = func(_ context.Context, p Playing, _ string) (bool, error) {
		restores = restores || p.Phase == packagesName && p.Vars["wc_restores"] == true
		return true, nil
	}
	w.vars.Values["wc_version"] = "1.36.1"
	if _, err := w.restoring(b, "first", true).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !restores {
		t.Error("the role packages would refuse the older programs")
	}
}
