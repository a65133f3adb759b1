package ansible

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// Groups of the inventory.
const (
	controlPlaneGroup = "control_plane"
	workersGroup      = "workers"
)

const (
	sshPort = 22
	root    = "root"
)

// hostVars are what the playbooks know of a machine: how to get there, and its part of the fleet.
type hostVars struct {
	Host       string `json:"ansible_host"`
	Port       int    `json:"ansible_port"`
	User       string `json:"ansible_user"`
	Become     bool   `json:"ansible_become"`
	KeyFile    string `json:"ansible_ssh_private_key_file,omitempty"`
	CommonArgs string `json:"ansible_ssh_common_args"`

	Address       string     `json:"wc_address"`
	PublicAddress string     `json:"wc_public_address"`
	Role          fleet.Role `json:"wc_role"`
	Edge          bool       `json:"wc_edge"`
}

type group struct {
	Hosts map[string]hostVars `json:"hosts"`
}

type inventory struct {
	All struct {
		Children map[string]group `json:"children"`
	} `json:"all"`
}

func (r *Runner) inventory(machines fleet.Fleet) ([]byte, error) {
	groups := map[string]group{
		controlPlaneGroup: {Hosts: map[string]hostVars{}},
		workersGroup:      {Hosts: map[string]hostVars{}},
	}
	for _, m := range machines {
		name := workersGroup
		if m.Role == fleet.ControlPlane {
			name = controlPlaneGroup
		}
		groups[name].Hosts[m.Name] = r.hostVars(m)
	}
	var list inventory
	list.All.Children = groups
	data, err := yaml.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("writing the inventory: %w", err)
	}
	return data, nil
}

func (r *Runner) hostVars(m fleet.Machine) hostVars {
	user := cmp.Or(m.SSH.User, root)
	return hostVars{
		Host: m.SSH.Host, Port: cmp.Or(m.SSH.Port, sshPort), User: user, Become: user != root,
		KeyFile: r.options.KeyFile, CommonArgs: quoted(r.sshArguments(m)),
		Address: m.Address, PublicAddress: m.PublicAddress, Role: m.Role, Edge: m.Edge,
	}
}

// sshArguments are those that are not Ansible's: who the machine is, and the way to it.
func (r *Runner) sshArguments(m fleet.Machine) []string {
	args := r.hostKeyArguments()
	if r.options.KeyOnly && r.options.KeyFile != "" {
		args = append(args, "-o", "IdentitiesOnly=yes")
	}
	switch {
	case m.SSH.ProxyCommand != "":
		args = append(args, "-o", "ProxyCommand="+m.SSH.ProxyCommand)
	case r.options.Bastion != nil:
		args = append(args, "-o", "ProxyCommand="+r.throughBastion(*r.options.Bastion))
	}
	return args
}

// hostKeyArguments accept the keys that were pinned at first contact and no other.
func (r *Runner) hostKeyArguments() []string {
	return []string{
		"-o", "UserKnownHostsFile=" + sshQuoted(r.options.KnownHosts),
		"-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes",
		"-o", "BatchMode=yes",
	}
}

// throughBastion is a ProxyCommand; a ProxyJump would pin no host key and take no other key file.
func (r *Runner) throughBastion(b spec.Bastion) string {
	args := append([]string{"ssh"}, r.hostKeyArguments()...)
	if key := cmp.Or(b.KeyFile, r.options.KeyFile); key != "" {
		args = append(args, "-i", key)
	}
	args = append(args, "-p", strconv.Itoa(cmp.Or(b.Port, sshPort)), "-W", "[%h]:%p")
	if b.User != "" {
		args = append(args, "-l", b.User)
	}
	return quoted(append(args, b.Host))
}

// quoted is a line that a shell, and Ansible as a shell would, splits into args again.
func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.ContainsAny(arg, " \t\n'\"\\$`*?[]#~;&|<>(){}!") || arg == "" {
			words[i] = "'" + strings.ReplaceAll(arg, "'", `'"'"'`) + "'"
		}
	}
	return strings.Join(words, " ")
}

// sshQuoted is a file name in an option of OpenSSH's, which may hold several, with blanks between.
func sshQuoted(path string) string {
	if strings.ContainsAny(path, " \t") {
		return `"` + path + `"`
	}
	return path
}
