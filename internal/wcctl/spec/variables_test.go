package spec_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

var (
	modules  = filepath.Join("..", "..", "..", "infra", "terraform")
	variable = regexp.MustCompile(`(?m)^variable "([a-z_]+)" \{$`)
)

// TestVariablesAreTheModules: a module has a variable for each that it is given.
func TestVariablesAreTheModules(t *testing.T) {
	t.Parallel()
	for target, file := range map[spec.Target]string{
		spec.AWS: awsFile, spec.Hosts: hostsFile, spec.Local: localFile,
	} {
		t.Run(string(target), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(filepath.Join(modules, string(target), "variables.tf"))
			if errors.Is(err, fs.ErrNotExist) {
				t.Skip("the module is not written yet")
			} else if err != nil {
				t.Fatal(err)
			}
			var known []string
			for _, found := range variable.FindAllStringSubmatch(string(text), -1) {
				known = append(known, found[1])
			}
			c, _ := check(file)
			for name := range c.Variables() {
				if !slices.Contains(known, name) {
					t.Errorf("the module has no variable %s but %v", name, known)
				}
			}
		})
	}
}

// TestTheHostsModule runs the real Terraform on the module with what a file says.
func TestTheHostsModule(t *testing.T) {
	t.Parallel()
	terraform, err := exec.LookPath("terraform")
	if err != nil {
		t.Skip("terraform is not installed: tools/setup.sh test")
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(modules, "hosts"))); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) []byte {
		t.Helper()
		cmd := exec.Command(terraform, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE="+os.DevNull)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("terraform %v: %v\n%s", args, err, out)
		}
		return out
	}
	c, faults := check(hostsFile + "      - {name: w2, address: out.example.org, privateAddress: 10.0.0.13, " +
		"port: 2222, user: ubuntu, architecture: arm64, edge: true}\n")
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	text, err := json.Marshal(c.Variables())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "terraform.tfvars.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	run("fmt", "-check", "-recursive", "-no-color")
	run("init", "-no-color", "-input=false")
	run("validate", "-no-color")
	run("test", "-no-color")
	run("apply", "-no-color", "-input=false", "-auto-approve")
	run("plan", "-no-color", "-input=false", "-detailed-exitcode") // 2, an error, for any change
	got, err := fleet.Parse(run("output", "-json", "machines"))
	if err != nil {
		t.Fatal(err)
	}
	want := fleet.Fleet{
		{
			Name: "cp", Role: fleet.ControlPlane, Address: "10.0.0.11", APIAddress: "10.0.0.11:6443",
			Architecture: "amd64", SSH: fleet.SSH{Host: "10.0.0.11", Port: 22, User: "root"},
		},
		{
			Name: "w1", Role: fleet.Worker, Address: "10.0.0.12", Architecture: "amd64",
			SSH: fleet.SSH{Host: "10.0.0.12", Port: 22, User: "root"},
		},
		{
			Name: "w2", Role: fleet.Worker, Address: "10.0.0.13", PublicAddress: "out.example.org",
			Edge: true, Architecture: "arm64",
			SSH: fleet.SSH{Host: "out.example.org", Port: 2222, User: "ubuntu"},
		},
	}
	if !slices.Equal(got, want) {
		t.Errorf("machines:\n got %+v\nwant %+v", got, want)
	}
}
