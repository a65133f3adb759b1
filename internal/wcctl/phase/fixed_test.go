package phase

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

func TestSettingsOfACreatedClusterCannotChange(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.cluster.Spec.Kubernetes.PodSubnet = "10.1.0.0/16"
	w.cluster.Spec.Network.Plugin = spec.Calico
	for _, err := range []error{w.up(), func() error { _, err := w.runner().Plan(t.Context()); return err }()} {
		var failed *Error
		if !errors.As(err, &failed) || !strings.Contains(failed.Hint, "wcctl down") {
			t.Fatalf("got %v", err)
		}
		for _, want := range []string{`spec.kubernetes.podSubnet is "10.1.0.0/16"`, `made with "flannel"`} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is missing in: %v", want, err)
			}
		}
	}
	if len(w.played) > 0 {
		t.Errorf("played %v", w.played)
	}
}

func TestALivingControlPlaneIsKept(t *testing.T) {
	t.Parallel()
	const control = `terraform_data.slot["demo-control-plane"]`
	settings := func(w *world) string {
		return filepath.Join(w.dir, "demo-control-plane", "lib", "cluster.json")
	}
	for _, c := range []struct {
		name   string
		change terraform.Change
		before func(w *world)
		kept   bool
	}{
		{
			"off",
			terraform.Change{Address: control, Action: terraform.Replace},
			func(w *world) { w.off = []string{"demo-control-plane"} }, true,
		},
		{"replaced", terraform.Change{Address: control, Action: terraform.Replace}, nil, true},
		{"deleted", terraform.Change{Address: control, Action: terraform.Delete}, nil, true},
		{"updated", terraform.Change{Address: control, Action: terraform.Update}, nil, false},
		{
			"a worker",
			terraform.Change{Address: `terraform_data.slot["demo-worker-1"]`, Action: terraform.Replace},
			nil, false,
		},
		{
			"without a cluster",
			terraform.Change{Address: control, Action: terraform.Replace},
			func(w *world) { _ = os.Remove(settings(w)) }, false,
		},
		{
			"dead",
			terraform.Change{Address: control, Action: terraform.Replace},
			func(w *world) { w.down["demo-control-plane"] = errors.New("no answer") }, false,
		},
		{
			"locked",
			terraform.Change{Address: control, Action: terraform.Replace},
			func(w *world) {
				w.down["demo-control-plane"] = &remote.Error{Kind: remote.Auth, Cause: errors.New("denied")}
			}, true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newFinishedWorld(t)
			w.changes = []terraform.Change{c.change}
			if c.before != nil {
				c.before(w)
			}
			_, err := w.runner().Plan(t.Context())
			if kept := err != nil && strings.Contains(err.Error(), "would delete the control plane"); kept != c.kept {
				t.Fatalf("kept %v, want %v: %v", kept, c.kept, err)
			}
			if !c.kept {
				return
			}
			runner := w.runner()
			if runner.Phases, err = Select(List(), "", []string{machinesName}); err != nil {
				t.Fatal(err)
			}
			if _, err := runner.Up(t.Context()); err == nil || w.applied > 0 {
				t.Errorf("Terraform ran: %v", err)
			}
		})
	}
}
