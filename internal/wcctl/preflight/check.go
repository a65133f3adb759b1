package preflight

import (
	"slices"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// Want is what the machines are to become.
type Want struct {
	// Cluster is its name.
	Cluster string
	// Authority is the AuthorityHash of the cluster that wcctl knows; empty before there is one.
	Authority string
	// Distribution is what a bundle's packages are for, e.g. debian-12; empty without a bundle.
	Distribution string
	// Lab allows what only machines on this computer may have: cgroup v1, and one kernel and one
	// product UUID for all.
	Lab bool
}

// The bounds; docs/cluster/preflight.md names them.
const (
	minCPUs          = 2
	minMemoryKB      = 1700 << 10 // as kubeadm counts
	minFreshKB       = 3 << 20
	minFreeKB        = 512 << 10
	minFreeInodes    = 5
	skewWarning      = 2 * time.Second
	skewError        = 30 * time.Second
	minKernelMajor   = 5
	minKernelMinor   = 13
	minInstances     = 512
	minWatches       = 65536
	minDebian        = 12
	minUbuntu        = 22.04
	kilobytesPerMega = 1 << 10
)

// componentPort is a port and the program of ours that may already hold it.
type componentPort struct {
	port    int
	process string
	// everywhere tells that workers need it too.
	everywhere bool
}

var componentPorts = []componentPort{
	{6443, "kube-apiserver", false},
	{10250, "kubelet", true},
	{10257, "kube-controller-manager", false},
	{10259, "kube-scheduler", false},
	{2379, "etcd", false},
	{2380, "etcd", false},
}

// Check names what is in the way, machine by machine in the order of facts.
func Check(facts []Facts, want Want) []Finding {
	c := &checker{want: want, facts: facts}
	for i := range facts {
		c.at = &facts[i]
		c.system()
		c.size()
		c.clock()
		c.kernel()
		c.network()
		c.twins()
		c.past()
	}
	return c.findings
}

// checker gathers findings about the machine that it is at.
type checker struct {
	want     Want
	facts    []Facts
	at       *Facts
	findings []Finding
}

func (c *checker) add(id ID, severity Severity, hint, text string) {
	c.findings = append(c.findings, Finding{
		Host: c.at.Machine.Name, ID: id, Severity: severity, Text: text, Hint: hint,
	})
}

// onControlPlane is an error on a control plane and a warning on a worker.
func (c *checker) onControlPlane() Severity {
	if c.at.Machine.Role == fleet.ControlPlane {
		return Error
	}
	return Warning
}

// controlPlane is nil where it was not among the machines that answered.
func (c *checker) controlPlane() *Facts {
	i := slices.IndexFunc(c.facts, func(f Facts) bool { return f.Machine.Role == fleet.ControlPlane })
	if i < 0 {
		return nil
	}
	return &c.facts[i]
}
