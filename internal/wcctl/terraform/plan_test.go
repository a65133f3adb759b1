package terraform_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

// machinesModule makes machines that are nothing but lines in the file marks.
const machinesModule = `
variable "workers" { type = number }
variable "size" { type = string }
locals { names = concat(["control-plane"], [for i in range(var.workers) : "worker-${i + 1}"]) }
resource "terraform_data" "machine" {
  for_each         = toset(local.names)
  input            = var.size
  triggers_replace = [var.size == "other" ? "other" : ""]
  provisioner "local-exec" { command = "echo make ${each.key} | tee -a marks" }
  provisioner "local-exec" {
    when    = destroy
    command = "echo delete ${each.key} >> marks"
  }
}
output "machines" {
  value = [for i, name in local.names : {
    name = name, role = i == 0 ? "control-plane" : "worker", address = "10.77.0.1${i}",
    public_address = "", api_address = i == 0 ? "127.0.0.1:6443" : "", edge = i == 1,
    architecture = "amd64"
    ssh = { host = "127.0.0.1", port = 2200 + i, user = "root", proxy_command = "" }
  }]
  depends_on = [terraform_data.machine]
}
`

func variables(workers int, size string) map[string]any {
	return map[string]any{"workers": workers, "size": size}
}

func TestPlanApplyDestroy(t *testing.T) {
	t.Parallel()
	b := setup(t, machinesModule, variables(1, "small"))
	ctx := t.Context()

	create := []terraform.Change{
		{Address: "output.machines", Action: terraform.Create},
		{Address: `terraform_data.machine["control-plane"]`, Action: terraform.Create},
		{Address: `terraform_data.machine["worker-1"]`, Action: terraform.Create},
	}
	checkChanges(t, b.plan(ctx), create)
	if b.marks() != "" {
		t.Fatalf("a plan has made machines: %s", b.marks())
	}
	if _, err := b.client().Machines(ctx); !errors.Is(err, terraform.ErrNoMachines) {
		t.Errorf("machines before apply: %v", err)
	}

	b.apply(ctx)
	if want := "make"; strings.Count(b.marks(), want) != 2 {
		t.Errorf("marks after apply: %q", b.marks())
	}
	checkMachines(t, b, []string{"control-plane", "worker-1"})
	checkChanges(t, b.plan(ctx), nil)

	b.prepare(machinesModule, variables(2, "large"))
	checkChanges(t, b.plan(ctx), []terraform.Change{
		{Address: "output.machines", Action: terraform.Update},
		{Address: `terraform_data.machine["control-plane"]`, Action: terraform.Update},
		{Address: `terraform_data.machine["worker-1"]`, Action: terraform.Update},
		{Address: `terraform_data.machine["worker-2"]`, Action: terraform.Create},
	})
	b.prepare(machinesModule, variables(0, "other"))
	checkChanges(t, b.plan(ctx), []terraform.Change{
		{Address: "output.machines", Action: terraform.Update},
		{
			Address: `terraform_data.machine["control-plane"]`, Action: terraform.Replace,
			Reason: "cannot_update",
		},
		{
			Address: `terraform_data.machine["worker-1"]`, Action: terraform.Delete,
			Reason: "delete_because_each_key",
		},
	})

	c := b.client()
	doomed, err := c.PlanDestroy(ctx, b)
	if err != nil || len(doomed) != 3 {
		t.Fatalf("to destroy: %v, %v", doomed, err)
	}
	if err := c.Destroy(ctx, b); err != nil {
		t.Fatal(err)
	}
	if strings.Count(b.marks(), "delete") != 2 {
		t.Errorf("marks after destroy: %q", b.marks())
	}
	if _, err := b.client().Machines(ctx); !errors.Is(err, terraform.ErrNoMachines) {
		t.Errorf("machines after destroy: %v", err)
	}
	if left, err := c.PlanDestroy(ctx, b); err != nil || len(left) != 0 {
		t.Errorf("left after destroy: %v, %v", left, err)
	}
}

func checkChanges(t *testing.T, got, want []terraform.Change) {
	t.Helper()
	slices.SortFunc(got, func(a, b terraform.Change) int { return strings.Compare(a.Address, b.Address) })
	if !reflect.DeepEqual(got, want) {
		t.Errorf("planned\n %v, want\n %v", got, want)
	}
}

func checkMachines(t *testing.T, b *bundle, names []string) {
	t.Helper()
	machines, err := b.client().Machines(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(machines.Names(), names) {
		t.Errorf("machines %v, want %v", machines.Names(), names)
	}
	if cp := machines.ControlPlane(); cp.Role != fleet.ControlPlane || cp.APIAddress == "" {
		t.Errorf("control plane %+v", cp)
	}
}

func TestApplyDoesThePlanThatWasShown(t *testing.T) {
	t.Parallel()
	b := setup(t, machinesModule, variables(0, "small"))
	ctx := t.Context()
	c := b.client()
	if _, err := c.Plan(ctx, b); err != nil {
		t.Fatal(err)
	}
	// Whatever changes between the question and the answer is not applied.
	write(t, filepath.Join(b.dir, "terraform.tfvars.json"), `{"workers": 5, "size": "small"}`)
	if err := c.Apply(ctx, b); err != nil {
		t.Fatal(err)
	}
	if b.marks() != "make control-plane\n" {
		t.Errorf("made %q", b.marks())
	}

	// A plan made before another run's apply is refused.
	stale := b.client()
	if _, err := stale.Plan(ctx, b); err != nil {
		t.Fatal(err)
	}
	b.apply(ctx)
	e := asError(t, stale.Apply(ctx, b), "Saved plan is stale")
	if e.Hint != "wcctl up" {
		t.Errorf("hint %q", e.Hint)
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	b := setup(t, machinesModule, variables(1, "small"))
	b.apply(t.Context())
	const dead = `terraform_data.machine["worker-1"]`
	c := b.client(func(o *terraform.Options) { o.Replace = []string{dead} })
	changes, err := c.Plan(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	checkChanges(t, changes, []terraform.Change{
		{Address: dead, Action: terraform.Replace, Reason: "requested"},
	})
	if err := c.Apply(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.marks(), "delete worker-1\nmake worker-1\n") {
		t.Errorf("made %q", b.marks())
	}
}

func TestCloseLeavesNoPlan(t *testing.T) {
	t.Parallel()
	b := setup(t, machinesModule, variables(0, "small"))
	c := b.client()
	for range 2 {
		if _, err := c.Plan(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		plans := b.plans()
		if len(plans) != 1 {
			t.Fatalf("plans: %v", plans)
		}
		if info, err := os.Stat(plans[0]); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("a plan holds the state, its mode: %v, %v", info.Mode(), err)
		}
	}
	if err := c.Close(); err != nil || len(b.plans()) != 0 {
		t.Errorf("after close: %v, %v", b.plans(), err)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t, machinesModule, variables(0, "small"))
	b.apply(t.Context())

	const task = `create terraform_data.machine["control-plane"]`
	kinds := []event.Kind{event.TaskStarted, event.TaskFinished}
	for _, kind := range kinds {
		e := b.await(func(e event.Event) bool { return e.Kind == kind })
		if e.Task != task || e.Phase != "machines" || e.Time.IsZero() {
			t.Errorf("%s: %+v", kind, e)
		}
		if e.Changed != (kind == event.TaskFinished) {
			t.Errorf("%s: changed is %v", kind, e.Changed)
		}
	}
	b.await(func(e event.Event) bool {
		return e.Kind == event.Note && e.Text == "make control-plane"
	})
	for _, words := range []string{"Creation complete", "make control-plane", "1 added"} {
		if !strings.Contains(b.log.String(), words) {
			t.Errorf("the log lacks %q:\n%s", words, b.log)
		}
	}
}
