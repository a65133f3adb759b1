// Package fleet describes the machines of a cluster: Terraform's one typed output, and all that the
// later phases know of them.
package fleet

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Role is what a machine is for.
type Role string

// The roles.
const (
	ControlPlane Role = "control-plane"
	Worker       Role = "worker"
)

// Machine is one element of Terraform's output `machines`.
type Machine struct {
	// Name is the host name and the node's name.
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Address is where the other machines reach it.
	Address string `json:"address"`
	// PublicAddress is where clients outside reach it; it may be empty.
	PublicAddress string `json:"public_address"`
	// APIAddress is where wcctl reaches the API server, as host:port; only a control plane has it.
	APIAddress string `json:"api_address"`
	// Edge marks the worker that takes the traffic from outside.
	Edge bool `json:"edge"`
	// Architecture is as in GOARCH.
	Architecture string `json:"architecture"`
	SSH          SSH    `json:"ssh"`
}

// SSH is how wcctl and Ansible log in.
type SSH struct {
	Host string `json:"host"`
	Port int    `json:"port"`
	User string `json:"user"`
	// ProxyCommand is OpenSSH's option of that name, e.g. a session through AWS SSM; mostly empty.
	ProxyCommand string `json:"proxy_command"`
}

// Fleet is all machines, the control plane first.
type Fleet []Machine

// Parse reads Terraform's output `machines`, faults included.
func Parse(output []byte) (Fleet, error) {
	var f Fleet
	if err := json.Unmarshal(output, &f); err != nil {
		return nil, fmt.Errorf("reading Terraform's output machines: %w", err)
	}
	slices.SortStableFunc(f, func(a, b Machine) int {
		return rank(a.Role) - rank(b.Role)
	})
	return f, f.validate()
}

func rank(r Role) int {
	if r == ControlPlane {
		return 0
	}
	return 1
}

func (f Fleet) validate() error {
	names := map[string]bool{}
	for _, m := range f {
		switch {
		case names[m.Name]:
			return fmt.Errorf("two machines are named %q", m.Name)
		case m.Name == "" || m.Address == "" || m.SSH.Host == "" || m.SSH.Port == 0:
			return fmt.Errorf("machine %q has no name, address or SSH address", m.Name)
		case m.Role != ControlPlane && m.Role != Worker:
			return fmt.Errorf("machine %q has the unknown role %q", m.Name, m.Role)
		}
		names[m.Name] = true
	}
	if len(f) == 0 || f[0].Role != ControlPlane || len(f.Workers()) != len(f)-1 {
		return fmt.Errorf("machines must hold exactly one %s", ControlPlane)
	}
	return nil
}

// ControlPlane is the one machine with that role.
func (f Fleet) ControlPlane() Machine { return f[0] }

// Edge is the machine that takes the traffic from outside; ok is false where none does.
func (f Fleet) Edge() (m Machine, ok bool) {
	if i := slices.IndexFunc(f, func(m Machine) bool { return m.Edge }); i >= 0 {
		return f[i], true
	}
	return Machine{}, false
}

// Workers are the others.
func (f Fleet) Workers() Fleet {
	var workers Fleet
	for _, m := range f {
		if m.Role == Worker {
			workers = append(workers, m)
		}
	}
	return workers
}

// Find returns the machine with that name.
func (f Fleet) Find(name string) (Machine, bool) {
	i := slices.IndexFunc(f, func(m Machine) bool { return m.Name == name })
	if i < 0 {
		return Machine{}, false
	}
	return f[i], true
}

// Names are the machines' names, in order.
func (f Fleet) Names() []string {
	names := make([]string, len(f))
	for i, m := range f {
		names[i] = m.Name
	}
	return names
}
