package localmachine_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/testprogram"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

const module = "../../../infra/terraform/local"

// TestTerraformMakesAndDeletes drives the module with a program that notes how it is called.
//
//nolint:paralleltest // Terraform dies with the thread that started it; other tests end threads
func TestTerraformMakesAndDeletes(t *testing.T) {
	lab, dir := openLab(t)
	calls := filepath.Join(dir, "calls")
	program := filepath.Join(dir, "wcctl")
	script := "#!/bin/sh\necho \"$@\" >> " + calls + "\n"
	testprogram.Write(t, program, script)
	names := (&roster.Roster{}).Names("lab", 2)
	reserved, err := lab.Reserve(names)
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]any{
		"cluster": "lab", "wcctl": program, "state_dir": dir, "workers": 2, "subnet": "10.97.0.0/24",
		"disk_gib": 10, "authorized_key": "ssh-ed25519 AAAA a b", "reservations": reserved,
	}
	client := openModule(t, filepath.Join(dir, "terraform"), vars)
	apply(t, client, 6)
	for i, name := range names {
		want := "machine create --state-dir " + dir + " --cluster lab --subnet 10.97.0.0/24 --address 10.97.0.1" +
			string(rune('1'+i)) + " --disk-gib 10 --authorized-key ssh-ed25519 AAAA a b --id " + reserved[name].ID
		if got := readCalls(t, calls); !slices.ContainsFunc(got, func(line string) bool {
			return strings.HasPrefix(line, want) && strings.HasSuffix(line, " "+name)
		}) {
			t.Errorf("no call like %q in %q", want, got)
		}
	}
	machines, err := client.Machines(t.Context())
	if err != nil || !slices.Equal(machines.Names(), names) {
		t.Fatalf("machines %v: %v", machines, err)
	}
	if got := machines.ControlPlane().SSH.Port; got != reserved[names[0]].SSHPort {
		t.Errorf("SSH port %d, want %d", got, reserved[names[0]].SSHPort)
	}
	apply(t, openModule(t, filepath.Join(dir, "terraform"), vars), 0)

	gone := reserved[names[1]]
	gone.ID = "another"
	reserved[names[1]] = gone
	client = openModule(t, filepath.Join(dir, "terraform"), vars)
	apply(t, client, 2)
	got := readCalls(t, calls)
	if last := got[len(got)-2:]; last[0] != "machine delete "+names[1]+" --state-dir "+dir ||
		!strings.HasPrefix(last[1], "machine create ") {
		t.Errorf("replacing %s called %q", names[1], last)
	}
	if err := client.Destroy(t.Context(), silent{}); err != nil {
		t.Fatal(err)
	}
	got = readCalls(t, calls)
	for _, name := range names {
		if !slices.Contains(got[len(got)-3:], "machine delete "+name+" --state-dir "+dir) {
			t.Errorf("%s was not deleted: %q", name, got)
		}
	}
}

type silent struct{}

func (silent) Emit(event.Event) {}

func openModule(t *testing.T, dir string, vars map[string]any) *terraform.Client {
	t.Helper()
	if err := terraform.Prepare(dir, os.DirFS(module), vars, nil); err != nil {
		t.Fatal(err)
	}
	client, err := terraform.New(terraform.Options{Dir: dir, Log: io.Discard, Phase: "machines"})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// apply plans, counts the resources that change, and does it.
func apply(t *testing.T, client *terraform.Client, want int) {
	t.Helper()
	changes, err := client.Plan(t.Context(), silent{})
	if err != nil {
		t.Fatal(err)
	}
	changes = slices.DeleteFunc(changes, func(c terraform.Change) bool {
		return strings.HasPrefix(c.Address, "output.")
	})
	if len(changes) != want {
		t.Fatalf("%d changes, want %d: %v", len(changes), want, changes)
	}
	if err := client.Apply(context.WithoutCancel(t.Context()), silent{}); err != nil {
		t.Fatal(err)
	}
}

func readCalls(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}
