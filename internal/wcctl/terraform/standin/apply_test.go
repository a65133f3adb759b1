package standin_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

// TestApply makes the machines of a cloud that is not there: what wcctl reads of them, that a
// second plan is empty, and that nothing is left of them.
func TestApply(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	dir, environ := setup(t, variables())
	if err := newClient(t, dir, environ).Apply(ctx, nil); err != nil {
		t.Fatal(err)
	}
	machines, err := newClient(t, dir, environ).Machines(ctx)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(machines, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "machines.json", append(got, '\n'))

	changes, err := newClient(t, dir, environ).Plan(ctx, nil)
	if err != nil || len(changes) != 0 {
		t.Errorf("a second plan: %v, %v", changes, err)
	}
	c := newClient(t, dir, environ)
	if err := c.Destroy(ctx, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Machines(ctx); !errors.Is(err, terraform.ErrNoMachines) {
		t.Errorf("after destroy: %v", err)
	}
}

// TestAnotherWorker: to add one changes nothing of the others.
func TestAnotherWorker(t *testing.T) {
	t.Parallel()
	dir, environ := setup(t, variables())
	if err := newClient(t, dir, environ).Apply(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	values := variables()
	values["workers"] = 3
	if err := terraform.Prepare(dir, os.DirFS(module), values, nil); err != nil {
		t.Fatal(err)
	}
	changes, err := newClient(t, dir, environ).Plan(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[terraform.Change]bool{
		{Address: `aws_instance.machine["demo-worker-3"]`, Action: terraform.Create}:          true,
		{Address: `aws_network_interface.machine["demo-worker-3"]`, Action: terraform.Create}: true,
		{Address: "output.machines", Action: terraform.Update}:                                true,
	}
	for _, change := range changes {
		if !want[change] {
			t.Errorf("planned: %+v", change)
		}
	}
	if len(changes) != len(want) {
		t.Errorf("%d changes, want %d", len(changes), len(want))
	}
}

func compare(t *testing.T, name string, got []byte) {
	t.Helper()
	golden := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs:\n%s", golden, got)
	}
}
