// Package phase is the way from nothing to a cluster: one list of phases that plan, up, the progress
// display and the docs share.
package phase

import (
	"context"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// The phases' names, as in --from, --only and the journal.
const (
	machinesName     = "machines"
	preflightName    = "preflight"
	hostName         = "host"
	containerdName   = "containerd"
	packagesName     = "packages"
	controlPlaneName = "control-plane"
	networkName      = "network"
	workersName      = "workers"
	labelsName       = "labels"
	metricsName      = "metrics"
	kubeconfigName   = "kubeconfig"
	conditionsName   = "conditions"
	deployName       = "deploy"
	smokeName        = "smoke"
)

// Place says where a phase works.
type Place string

// The places.
const (
	Here           Place = "this computer"
	EveryMachine   Place = "every machine"
	OnControlPlane Place = "the control plane"
	EachWorker     Place = "each worker"
)

// Phase is one step. All of them may run again at any time: what is done is left alone.
type Phase interface {
	Name() string
	// Title is what it does in a few words.
	Title() string
	// About is what it does, how it tells that it has work, and what a second run does.
	About() string
	Place() Place
	// Pending names what there is to do and why; it changes nothing anywhere.
	Pending(ctx context.Context, r *Run) ([]Change, error)
	// Apply does it.
	Apply(ctx context.Context, r *Run, changes []Change) error
}

// List is all phases in their order: the whole install on one screen.
func List() []Phase {
	return []Phase{
		machines{},
		preflight{},
		play{
			name: hostName, title: "Prepare the machines", place: EveryMachine, role: "host", fleet: true,
			what:  "prepare it",
			about: "Sets the host name, /etc/hosts, kernel modules and settings, turns swap off, keeps the time.",
		},
		play{
			name: containerdName, title: "Install containerd", place: EveryMachine, role: "containerd",
			unit:  "containerd",
			about: "Installs containerd and runs it with the systemd cgroup driver.",
		},
		play{
			name: packagesName, title: "Install Kubernetes", place: EveryMachine, role: "packages",
			about: "Installs kubeadm, kubelet and kubectl of the wanted release and pulls the images that " +
				"the machine will need.",
		},
		play{
			name: controlPlaneName, title: "Start the control plane", place: OnControlPlane,
			role: "control_plane", unit: "kubelet", node: true,
			about: "Runs kubeadm init with the audit log and with secrets encrypted at rest.",
		},
		play{
			name: networkName, title: "Install the pod network", place: OnControlPlane, role: "network",
			applied: networkObjects,
			about:   "Applies the manifest of Calico or flannel and waits for its pods.",
		},
		play{
			name: workersName, title: "Join the workers", place: EachWorker, role: "workers",
			what: "join it",
			unit: "kubelet", node: true,
			about: "Joins each worker by a token that lives for minutes.",
		},
		play{
			name: labelsName, title: "Label the nodes", place: OnControlPlane, role: "labels", fleet: true,
			labels: nodeLabels,
			about:  "Labels the nodes with their role and marks the edge.",
		},
		play{
			name: metricsName, title: "Install metrics-server", place: OnControlPlane, role: "metrics",
			applied: metricsObjects,
			about:   "Applies the manifest of metrics-server and waits for its API.",
		},
		kubeconfig{},
		conditions{},
		deployment{},
		smoke{},
	}
}

// nodeLabels are those of the role labels.
func nodeLabels(m fleet.Machine) []string {
	var labels []string
	if m.Role == fleet.Worker {
		labels = append(labels, "node-role.kubernetes.io/worker")
	}
	if m.Edge {
		labels = append(labels, "wastecoach.io/edge")
	}
	return labels
}

func networkObjects(c *spec.Cluster) []Object {
	if c.Spec.Network.Plugin == spec.Flannel {
		return []Object{{Kind: "DaemonSet", Namespace: "kube-flannel", Name: "kube-flannel-ds"}}
	}
	return []Object{{Kind: "DaemonSet", Namespace: "kube-system", Name: "calico-node"}}
}

func metricsObjects(*spec.Cluster) []Object {
	return []Object{{Kind: "Deployment", Namespace: "kube-system", Name: "metrics-server"}}
}

// Change is one thing that a phase will do.
type Change struct {
	Phase string `json:"phase"`
	// Host is empty for what is done here.
	Host string `json:"host,omitempty"`
	What string `json:"what"`
	// Why tells what was found.
	Why string `json:"why,omitempty"`
}

// String is the change on one line.
func (c Change) String() string {
	text := c.What
	if c.Host != "" {
		text = c.Host + ": " + text
	}
	if c.Why != "" {
		text += " (" + c.Why + ")"
	}
	return text
}

// Error is how a run fails.
type Error struct {
	Phase, Host, Task string
	Cause             error
	// Hint is a command to paste, or a short list of them, one per line.
	Hint string
	// Log is the path of the run's full record.
	Log string
}

// Error implements error.
func (e *Error) Error() string {
	where := e.Phase
	if e.Host != "" {
		where += ": " + e.Host
	}
	if e.Task != "" {
		where += ": " + e.Task
	}
	return fmt.Sprintf("%s: %v", where, e.Cause)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }
