package phase

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

func TestAPlanBeforeThereAreMachinesNamesAllPhases(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	plan, err := w.runner().Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range plan.Phases {
		if p.Name == deployName || p.Name == smokeName { // the configuration names no domain
			continue
		}
		if len(p.Changes) == 0 || p.Name != List()[i].Name() {
			t.Errorf("phase %s has no change", p.Name)
		}
	}
	hosts := []string{}
	for _, c := range plan.Phases[slices.Index(Names(List()), workersName)].Changes {
		hosts = append(hosts, c.Host)
	}
	equal(t, hosts, []string{"demo-worker-1", "demo-worker-2"})
}

func TestASecondUpFindsNothingToDo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.up(); err != nil {
		t.Fatal(err)
	}
	first := len(w.played)
	if want := 3*3 + 4 + 2; first != want { // three phases everywhere, four on the control plane
		t.Errorf("%d plays, want %d: %v", first, want, w.played)
	}
	equal(t, w.plan(), []string{})
	w.events = nil
	if err := w.up(); err != nil {
		t.Fatal(err)
	}
	if len(w.played) != first || w.applied != 1 {
		t.Errorf("the second up did something: %v, %d applies", w.played[first:], w.applied)
	}
	for _, e := range w.events {
		if e.Kind != event.PhaseSkipped {
			t.Errorf("event %+v", e)
		}
	}
}

func TestAPlanWritesNothing(t *testing.T) {
	t.Parallel()
	for _, made := range []bool{false, true} {
		w := newWorld(t)
		if made {
			w = newFinishedWorld(t)
			w.drift("demo-worker-1", hostName)
		} else {
			_ = w.runner() // it makes the journal
		}
		before := treeHash(t, w.dir)
		if len(w.plan()) == 0 {
			t.Error("an empty plan proves nothing")
		}
		if after := treeHash(t, w.dir); after != before {
			t.Errorf("made %v: a plan wrote something", made)
		}
	}
}

// treeHash covers names, sizes, times and contents; bin holds the test's own programs.
func treeHash(t *testing.T, dir string) string {
	t.Helper()
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, "/bin/") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(sum, "%s %v %x\n", path, info.ModTime(), data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

func (w *world) drift(host, phase string) {
	w.t.Helper()
	if err := os.WriteFile(w.file(host, phase), []byte("by hand"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func TestDriftIsNamedAndMendedWhereItIs(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		breaks func(w *world)
		want   []string
	}{
		"a file changed": {
			func(w *world) { w.drift("demo-worker-1", containerdName) },
			[]string{"containerd demo-worker-1: changed by hand: FILE"},
		},
		"a file gone": {
			func(w *world) { _ = os.Remove(w.file("demo-worker-2", hostName)) },
			[]string{"host demo-worker-2: changed by hand: FILE"},
		},
		"a unit stopped": {
			func(w *world) { w.units["demo-worker-1/kubelet"] = "inactive" },
			[]string{"workers demo-worker-1: kubelet is inactive"},
		},
		"a node deleted": {
			func(w *world) { w.nodes = []string{"demo-control-plane", "demo-worker-2"} },
			[]string{"workers demo-worker-1: the cluster has no such node"},
		},
		"a node without its label": {
			func(w *world) { w.unlabeled["demo-worker-2"] = true },
			[]string{"labels demo-control-plane: demo-worker-2 lacks the label node-role.kubernetes.io/worker"},
		},
		"a manifest deleted": {
			func(w *world) { w.absent = metricsObjects(nil) },
			[]string{"metrics demo-control-plane: Deployment kube-system/metrics-server is gone"},
		},
		"a machine made anew": {
			func(w *world) {
				_ = os.RemoveAll(filepath.Join(w.dir, "demo-worker-2"))
				delete(w.units, "demo-worker-2/kubelet")
			},
			[]string{
				"host demo-worker-2: not done yet", "containerd demo-worker-2: not done yet",
				"packages demo-worker-2: not done yet", "workers demo-worker-2: not done yet",
			},
		},
		"another input": {
			func(w *world) { w.vars.Values["wc_version"] = "1.37.2" },
			each3("host", "its settings have changed since"),
		},
		"a variable that no role declares": {
			func(w *world) { w.vars.Values["wc_secret"] = "newer" },
			[]string{},
		},
		"a manifest's text": {
			func(w *world) { w.vars.Texts["wc_manifest"] = "kind: Other" },
			each3("host", "its settings have changed since"),
		},
		"another role": {
			func(w *world) {
				w.ansible["roles/labels/tasks/main.yml"] = &fstest.MapFile{Data: []byte("- two")}
			},
			[]string{"labels demo-control-plane: the role has changed since"},
		},
		"renewed certificates": {
			func(w *world) { w.writeAdmin("second") },
			[]string{"kubeconfig: the control plane has other certificates"},
		},
		"no kubeconfig": {
			func(w *world) { _ = os.Remove(w.folder.Kubeconfig()) },
			[]string{"kubeconfig: it is missing", "conditions: a new cluster"},
		},
		"an unmet condition": {
			func(w *world) {
				down := kube.Condition{Name: "nodes-ready", State: kube.Failing, Message: "demo-worker-1 is not"}
				w.unmet = []kube.Condition{down}
			},
			[]string{"conditions: demo-worker-1 is not"},
		},
		"Terraform's drift": {
			func(w *world) {
				w.changes = []terraform.Change{{
					Address: `aws_instance.node["demo-worker-1"]`, Action: terraform.Update, Reason: "drift_seen",
				}}
			},
			[]string{"machines: drift seen"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newFinishedWorld(t)
			c.breaks(w)
			got := slices.DeleteFunc(w.plan(), func(line string) bool {
				return strings.HasPrefix(line, preflightName)
			})
			for i := range got {
				if head, _, ok := strings.Cut(got[i], ": "+w.dir); ok {
					got[i] = head + ": FILE"
				}
			}
			// The same variables are inputs of other phases too.
			if len(got) > len(c.want) && len(c.want) == 3 {
				got = got[:3]
			}
			equal(t, got, c.want)
			w.absent = nil
			if err := w.up(); err != nil {
				t.Fatal(err)
			}
			equal(t, w.plan(), []string{})
		})
	}
}

func each3(phase, why string) []string {
	return []string{
		phase + " demo-control-plane: " + why, phase + " demo-worker-1: " + why,
		phase + " demo-worker-2: " + why,
	}
}

func TestSelectChoosesPhases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		from string
		only []string
		want string
		bad  bool
	}{
		{want: strings.Join(Names(List()), " ")},
		{from: labelsName, want: "labels metrics kubeconfig conditions deploy smoke"},
		{only: []string{"conditions", "host"}, want: "host conditions"},
		{from: "host", only: []string{"host"}, want: "host"},
		{from: "labels", only: []string{"host"}, bad: true},
		{only: []string{"hosts"}, bad: true},
		{from: "the start", bad: true},
	} {
		got, err := Select(List(), c.from, c.only)
		if (err != nil) != c.bad || strings.Join(Names(got), " ") != c.want {
			t.Errorf("from %q only %v: %v, %v", c.from, c.only, Names(got), err)
		}
	}
}

func TestPhasesNeedMachines(t *testing.T) {
	t.Parallel()
	for _, name := range Names(List())[1:] {
		w := newWorld(t)
		runner := w.runner()
		runner.Run.System, runner.Run.Cluster.Spec.Domain = &fakeSystem{}, "waste.test"
		runner.Run.Dial = func(context.Context, fleet.Machine, time.Duration) (Shell, error) {
			t.Error("logged in to a machine that is not there")
			return nil, errors.New("no")
		}
		var err error
		if runner.Phases, err = Select(List(), "", []string{name}); err != nil {
			t.Fatal(err)
		}
		var failed *Error
		if _, err := runner.Up(t.Context()); !errors.Is(err, ErrNoMachines) || !errors.As(err, &failed) ||
			failed.Hint != "wcctl up" || failed.Phase != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPhasesCanBeAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	runner := w.runner()
	runner.Run.Again = true
	var err error
	if runner.Phases, err = Select(List(), "", []string{metricsName}); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, w.played, []string{"metrics demo-control-plane"})
}
