package ansible_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/wastecoach/wastecoach/internal/wcctl/ansible"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; refresh with go test -update\n%s", path, got)
	}
}

func TestInventory(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*ansible.Options, fleet.Fleet){
		"loopback": func(o *ansible.Options, f fleet.Fleet) {
			o.KeyOnly = true
			for i := range f {
				f[i].SSH.Port = 20000 + i
			}
		},
		"bastion": func(o *ansible.Options, f fleet.Fleet) {
			o.KnownHosts = "/state/my cluster/known_hosts"
			o.Bastion = &spec.Bastion{Host: "bastion.example.com", User: "jump", KeyFile: "/keys/it's"}
			for i := range f {
				f[i].SSH = fleet.SSH{Host: f[i].Address, Port: 22, User: "ubuntu"}
			}
		},
		"session": func(_ *ansible.Options, f fleet.Fleet) {
			for i := range f {
				f[i].PublicAddress = "203.0.113.7"
				f[i].SSH = fleet.SSH{
					Host: fmt.Sprintf("i-%d", i), Port: 22, User: "ubuntu",
					ProxyCommand: `aws ssm start-session --target %h --parameters "portNumber=%p"`,
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writePlaybook(t, dir, twoFiles)
			// The inventory is written before the program starts, so any program will do.
			o := ansible.Options{
				Program: "true", Dir: dir, KnownHosts: "/state/known_hosts", KeyFile: "/state/ssh/id_ed25519",
			}
			f := machines(2)
			change(&o, f)
			r, err := ansible.New(o)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Play(t.Context(), ansible.Play{Phase: "play", Fleet: f}); err == nil {
				t.Error("a program that tells nothing has played")
			}
			data, err := os.ReadFile(filepath.Join(dir, "inventory.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "inventory-"+name+".yaml", data)
		})
	}
}

// rendered are the templates whose text decides whether a cluster comes up, by role.
var rendered = []string{
	"host/hosts", "host/settings", "host/apt",
	"containerd/config.toml", "containerd/hosts.toml", "containerd/containerd.service",
	"packages/kubelet.service",
	"control_plane/kubeadm.yaml", "control_plane/audit-policy.yaml",
	"workers/join.yaml",
}

const renderAll = `
- name: Render
  hosts: control_plane
  connection: local
  gather_facts: false
  vars:
    workers_token: {stdout: '{"token": "abcdef.0123456789abcdef", "hash": "sha256:00ff", "authority": "aa"}'}
  tasks:
    - name: Read the roles' defaults
      ansible.builtin.include_vars: {file: "{{ roles }}/{{ item }}/defaults/main.yml"}
      loop: [host, containerd, packages, control_plane, workers]
    - name: Render
      ansible.builtin.copy:
        content: "{% for t in templates %}{{ lookup('ansible.builtin.template', roles ~ '/' ~ t) }}{% endfor %}"
        dest: "%s/rendered"
        mode: "0600"
`

func TestTemplates(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"local", "hosts"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, renderAll)
			vars := example(t, name)
			vars["roles"] = filepath.Join(infra(t), "roles")
			var templates []string
			for _, r := range rendered {
				role, file, _ := strings.Cut(r, "/")
				templates = append(templates, role+"/templates/"+file+".j2")
			}
			vars["templates"] = templates
			_, err := b.runner.Play(t.Context(), ansible.Play{Phase: "play", Fleet: machines(2), Vars: vars})
			if err != nil {
				t.Fatalf("%v\n%s", err, b.log.String())
			}
			data, err := os.ReadFile(filepath.Join(b.dir, "rendered"))
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "templates-"+name+".txt", data)
		})
	}
}

// example is one of the files of variables that the documentation shows.
func example(t *testing.T, name string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "variables-"+name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var vars map[string]any
	if err := json.Unmarshal(data, &vars); err != nil {
		t.Fatal(err)
	}
	return vars
}

// A plan compares the variables that a role declares, so each role must declare what it reads.
func TestRolesDeclareTheirVariables(t *testing.T) {
	t.Parallel()
	dirs, err := filepath.Glob(filepath.Join(infra(t), "roles", "*"))
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no roles: %v", err)
	}
	for _, dir := range dirs {
		declared := declaredVariables(t, dir)
		for _, name := range usedVariables(t, dir) {
			if !slices.Contains(declared, name) {
				t.Errorf("role %s reads %s and does not declare it", filepath.Base(dir), name)
			}
		}
	}
}

func declaredVariables(t *testing.T, role string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(role, "meta", "argument_specs.yml"))
	if err != nil {
		t.Fatal(err)
	}
	var specs struct {
		Specs struct {
			Main struct {
				Options map[string]any `yaml:"options"`
			} `yaml:"main"`
		} `yaml:"argument_specs"`
	}
	if err := yaml.Unmarshal(data, &specs); err != nil {
		t.Fatal(err)
	}
	var names []string
	for name := range specs.Specs.Main.Options {
		names = append(names, name)
	}
	return names
}

func usedVariables(t *testing.T, role string) []string {
	t.Helper()
	variable := regexp.MustCompile(`\bwc_\w+`)
	var names []string
	for _, pattern := range []string{"tasks/*", "templates/*", "defaults/*"} {
		files, err := filepath.Glob(filepath.Join(role, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, variable.FindAllString(string(data), -1)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
