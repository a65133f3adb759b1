package phase

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

func TestDownTellsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for _, left := range [][]string{nil, {"namespace wcl-demo", "process 12"}} {
		w := newFinishedWorld(t)
		runner := w.runner()
		runner.Phases = Down(w.cluster.Spec.Target)
		runner.Run.Leftovers = func(_ context.Context, machines fleet.Fleet) ([]string, error) {
			if len(machines) != 3 {
				t.Errorf("%d machines were there", len(machines))
			}
			return left, nil
		}
		w.forgotten = nil
		_, err := runner.Up(t.Context())
		if (err != nil) != (left != nil) {
			t.Errorf("left %v: %v", left, err)
		}
		if err != nil && !strings.Contains(err.Error(), "namespace wcl-demo; process 12") {
			t.Errorf("the error does not name them: %v", err)
		}
		if w.made || len(w.forgotten) != 3 {
			t.Errorf("made %v, forgotten %v", w.made, w.forgotten)
		}
	}
}

func TestHostsKeepTheirKeysAndAreCleanedEvenWhenTerraformForgotThem(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cluster.Spec.Target, w.cluster.Spec.Local = spec.Hosts, nil
	w.cluster.Spec.Hosts = &spec.HostsTarget{
		ControlPlane: spec.Host{Name: "a", Address: "10.9.0.1", PrivateAddress: "10.9.0.1", Port: 22},
		Workers:      []spec.Host{{Name: "b", Address: "10.9.0.2", PrivateAddress: "10.9.0.2", Port: 22}},
	}
	w.changes = []terraform.Change{{Address: `terraform_data.machine["a"]`, Action: terraform.Create}}
	down := func(force bool) (seen fleet.Fleet, err error) {
		runner := w.runner()
		runner.Phases, runner.Run.Force = Down(spec.Hosts), force
		runner.Run.Leftovers = func(_ context.Context, machines fleet.Fleet) ([]string, error) {
			seen = machines
			return nil, nil
		}
		_, err = runner.Up(t.Context())
		return seen, err
	}
	seen, err := down(false)
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) != 2 || seen[1].SSH.Host != "10.9.0.2" {
		t.Errorf("looked at %v", seen)
	}
	equal(t, w.played, []string{"remove a", "remove b"})
	runner := w.runner()
	if runner.Phases, err = Select(List(), "", []string{machinesName}); err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, w.forgotten, nil)
	w.played, w.down["b"] = nil, errors.New("no answer")
	var failed *Error
	if _, err := down(false); !errors.As(err, &failed) || !strings.Contains(failed.Hint, "--force") {
		t.Errorf("a host that is gone: %v", err)
	}
	if _, err := down(true); err != nil {
		t.Error(err)
	}
	equal(t, w.played, []string{"remove a"})
}

func TestDownLeavesAMachineOfAnotherClusterAlone(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.cluster.Metadata.Name = "other"
	w.cluster.Spec.Target, w.cluster.Spec.Local = spec.Hosts, nil
	w.cluster.Spec.Hosts = &spec.HostsTarget{
		ControlPlane: spec.Host{Name: "mine", PrivateAddress: "10.0.0.9"},
		Workers:      []spec.Host{{Name: "demo-worker-1", PrivateAddress: "10.0.0.12"}},
	}
	runner := w.runner()
	runner.Phases = Down(spec.Hosts)
	_, err := runner.Up(t.Context())
	var failed *Error
	if !errors.As(err, &failed) || failed.Host != "demo-worker-1" ||
		!strings.Contains(err.Error(), `belongs to the cluster "demo", not to "other"`) {
		t.Errorf("got %v", err)
	}
	if len(w.played) > 0 || !w.made {
		t.Errorf("played %v", w.played)
	}
}
