package cli

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// localWork is a local cluster with 1 control plane and 3 workers.
func localWork(t *testing.T) *nodeWork {
	t.Helper()
	dir := t.TempDir()
	w := &nodeWork{
		cluster: &spec.Cluster{
			Metadata: spec.Metadata{Name: "demo"},
			Spec:     spec.Spec{Target: spec.Local, Local: &spec.LocalTarget{Workers: 3}},
		},
		file: filepath.Join(dir, spec.FileName), folder: workspace.Folder(dir), counted: 3,
	}
	if err := os.WriteFile(w.file, []byte("spec:\n  target: local\n  local:\n    workers: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i, name := range (&roster.Roster{}).Names("demo", 3) {
		m := fleet.Machine{Name: name, Role: fleet.Worker, Edge: i == 1}
		if i == 0 {
			m.Role = fleet.ControlPlane
		}
		w.fleet = append(w.fleet, m)
	}
	return w
}

// declare runs the phase that writes the number down, if it has work.
func declare(t *testing.T, w *nodeWork) (worked bool) {
	t.Helper()
	changes, err := declareWorkers{w}.Pending(t.Context(), nil)
	if err == nil && len(changes) > 0 {
		err = declareWorkers{w}.Apply(t.Context(), nil, changes)
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(changes) > 0
}

func reload(t *testing.T, w *nodeWork) {
	t.Helper()
	text, err := os.ReadFile(w.file)
	if err != nil {
		t.Fatal(err)
	}
	edited, err := editWorkers(string(text), spec.Local, *workersIn(w.cluster))
	if err != nil || edited != string(text) {
		t.Errorf("the file holds %q, want %d workers (%v)", text, *workersIn(w.cluster), err)
	}
	w.counted = *workersIn(w.cluster)
	if w.roster, err = roster.Load(w.folder); err != nil {
		t.Fatal(err)
	}
}

func TestRemovalComesInOrderAndOnce(t *testing.T) {
	t.Parallel()
	w, opts := localWork(t), &nodeOptions{}
	phases, err := removal(w, opts, "demo-worker-2")
	if err != nil {
		t.Fatal(err)
	}
	want := append([]string{drainName, declareName, deleteName}, phase.Names(phase.List())...)
	if got := phase.Names(phases); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if !declare(t, w) {
		t.Error("nothing was written down")
	}
	reload(t, w)
	if got := w.roster.Names("demo", w.counted); !slices.Equal(got,
		[]string{"demo-control-plane", "demo-worker-1", "demo-worker-3"}) {
		t.Error(got)
	}
	// A run that was killed after that does not lower the number again.
	if _, err := removal(w, opts, "demo-worker-2"); err != nil || *workersIn(w.cluster) != 2 {
		t.Errorf("%v, %d workers", err, *workersIn(w.cluster))
	}
	if declare(t, w) {
		t.Error("it was written down twice")
	}
	// Not even when its machine is gone and only the node is left.
	w.fleet = slices.DeleteFunc(w.fleet, func(m fleet.Machine) bool { return m.Name == "demo-worker-2" })
	if _, err := removal(w, opts, "demo-worker-2"); err != nil || *workersIn(w.cluster) != 2 {
		t.Errorf("%v, %d workers", err, *workersIn(w.cluster))
	}
}

func TestRemovalGoesOnBetweenItsTwoFiles(t *testing.T) {
	t.Parallel()
	w := localWork(t)
	// As a kill leaves it between the two writes.
	if err := (roster.Roster{Retired: []int{2}, Wanted: 2}).Save(w.folder); err != nil {
		t.Fatal(err)
	}
	w.roster = roster.Roster{Retired: []int{2}, Wanted: 2}
	if _, err := removal(w, &nodeOptions{}, "demo-worker-2"); err != nil {
		t.Fatal(err)
	}
	if !declare(t, w) {
		t.Error("the file was not changed")
	}
	reload(t, w)
	if w.roster.Wanted != 0 || *workersIn(w.cluster) != 2 {
		t.Errorf("%+v, %d workers", w.roster, *workersIn(w.cluster))
	}
}

func TestRemovalRefuses(t *testing.T) {
	t.Parallel()
	for title, test := range map[string]struct {
		change func(w *nodeWork)
		name   string
	}{
		"the control plane": {func(*nodeWork) {}, "demo-control-plane"},
		"a stranger":        {func(*nodeWork) {}, "demo-worker-9"},
		"the last worker":   {func(w *nodeWork) { w.cluster.Spec.Local.Workers = 1 }, "demo-worker-1"},
		"the edge in AWS": {
			func(w *nodeWork) {
				w.cluster.Spec = spec.Spec{Target: spec.AWS, AWS: &spec.AWSTarget{Workers: 3}}
			}, "demo-worker-1",
		},
	} {
		w := localWork(t)
		test.change(w)
		_, err := removal(w, &nodeOptions{}, test.name)
		var told *Error
		if !errors.As(err, &told) || told.Hint == "" || told.ExitCode != exitUsage {
			t.Errorf("%s: %v", title, err)
		}
		if known, err := roster.Load(w.folder); err != nil || known.Retired != nil {
			t.Errorf("%s: %+v, %v", title, known, err)
		}
	}
}

func TestRemovalOfYourOwnMachine(t *testing.T) {
	t.Parallel()
	for listedStill, want := range map[bool]int{true: 3, false: 3 + len(phase.List())} {
		w := localWork(t)
		hosts := &spec.HostsTarget{Workers: []spec.Host{{Name: "demo-worker-1"}}}
		if listedStill {
			hosts.Workers = append(hosts.Workers, spec.Host{Name: "demo-worker-2"})
		}
		w.cluster.Spec = spec.Spec{Target: spec.Hosts, Hosts: hosts}
		phases, err := removal(w, &nodeOptions{}, "demo-worker-2")
		if err != nil || len(phases) != want || phases[2].Name() != cleanName {
			t.Errorf("listed %v: %v, %v", listedStill, phase.Names(phases), err)
		}
	}
}
