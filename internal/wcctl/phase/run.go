package phase

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// Terraform makes the machines.
type Terraform interface {
	Plan(ctx context.Context, sink event.Sink) ([]terraform.Change, error)
	Apply(ctx context.Context, sink event.Sink) error
	Machines(ctx context.Context) (fleet.Fleet, error)
	PlanDestroy(ctx context.Context, sink event.Sink) ([]terraform.Change, error)
	Destroy(ctx context.Context, sink event.Sink) error
}

// Shell is a login to a machine as root.
type Shell interface {
	Output(ctx context.Context, command string, stdin io.Reader) (string, error)
	Listen(address string) (net.Listener, error)
	Done() <-chan struct{}
	Close() error
}

// Dial logs in to a machine; wait is how long to go on with one that does not answer.
type Dial func(ctx context.Context, m fleet.Machine, wait time.Duration) (Shell, error)

// Play runs a phase's part of the playbook on some of the machines. It tells how it went on each of
// them even where it fails.
type Play func(ctx context.Context, p Playing) (map[string]Played, error)

// Playing is what to play, and where.
type Playing struct {
	Phase string
	// Fleet is all machines, Hosts the names of those that have work.
	Fleet fleet.Fleet
	Hosts []string
	Vars  map[string]any
}

// Played is how it went on a machine.
type Played struct {
	// OK tells that all tasks and handlers ended well.
	OK      bool
	Changed int
	// Files are the paths that the phase manages there.
	Files []string
}

// Kube is the cluster's API.
type Kube interface {
	Nodes(ctx context.Context) ([]Node, error)
	Has(ctx context.Context, o Object) (bool, error)
	Conditions(ctx context.Context, machines fleet.Fleet) []kube.Condition
	// Wait returns when all of them are fine; what is left at the end of ctx is a *kube.NotMetError.
	Wait(ctx context.Context, machines fleet.Fleet, sink event.Sink) ([]kube.Condition, error)
}

// Node is what the phases need of a node.
type Node struct {
	Name   string
	Labels map[string]string
}

// Object names something that a phase applied.
type Object struct{ Kind, Namespace, Name string }

// Check finds what is wrong with machines before anything is installed on them.
type Check func(ctx context.Context, machines fleet.Fleet, shells map[string]Shell) ([]Finding, error)

// Vars are a playbook's variables.
type Vars struct {
	Values map[string]any
	// Texts are the contents of the files that some values are paths of: those count as inputs.
	Texts map[string]string
}

// Finding is one thing that is wrong with a machine.
type Finding struct {
	Host, Text, Hint string
	// Fatal findings stop the run.
	Fatal bool
}

// Power switches machines on.
type Power interface {
	// Off are the names of machines that exist and are off.
	Off() ([]string, error)
	Start(name string) error
}

// Run is what the phases work with.
type Run struct {
	// ID is the same in the journal, the lock and the records on the machines.
	ID      string
	Cluster *spec.Cluster
	Folder  workspace.Folder
	Sink    event.Sink

	Terraform Terraform
	Dial      Dial
	Play      Play
	Check     Check
	// Power is nil where machines cannot be switched on from here.
	Power Power
	// Leftovers is for Down alone.
	Leftovers Leftovers
	// Forget drops the pinned host key of a machine that Terraform made anew.
	Forget func(m fleet.Machine) error
	// Connect opens the API by the kubeconfig.
	Connect func(kubeconfig string) (Kube, error)
	// Ansible is the playbook's folder, for fingerprints.
	Ansible fs.FS
	// Vars are the playbook's variables for the machines.
	Vars func(machines fleet.Fleet) (Vars, error)
	// System is nil where nothing is deployed.
	System System
	// Bundle serves what is installed through a tunnel; nil where the machines fetch it themselves.
	Bundle http.Handler
	// Parallel is how many machines are worked on at once.
	Parallel int
	// Again does the chosen phases where they are done, too.
	Again bool
	// Restores tells that the control plane comes back from a backup: workers may wait for it.
	Restores bool
	// Force goes on with Down where a machine does not answer.
	Force bool
	// Patience is how long a machine that does not answer is waited for.
	Patience time.Duration

	planned *[]terraform.Change
	fleet   fleet.Fleet
	before  fleet.Fleet
	vars    *Vars
	hosts   map[string]*host
	hashes  map[string]string
	nodes   *[]Node
	tunnels tunnels
}

// host is a machine as this run knows it.
type host struct {
	machine fleet.Machine
	shell   Shell
	survey  *survey
	// err is why it could not be asked.
	err error
}

// Close ends logins and tunnels.
func (r *Run) Close() {
	r.tunnels.close()
	r.dropHosts()
}

func (r *Run) dropHosts() {
	for _, h := range r.hosts {
		if h.shell != nil {
			_ = h.shell.Close() // it ends in any case
		}
	}
	r.hosts = nil
}

// Fleet is the machines; known is false before they were made, and then it is what they will be.
func (r *Run) Fleet(ctx context.Context) (machines fleet.Fleet, known bool, err error) {
	if r.fleet != nil {
		return r.fleet, true, nil
	}
	machines, err = r.Terraform.Machines(ctx)
	if errors.Is(err, terraform.ErrNoMachines) {
		return expected(r.Cluster), false, nil
	}
	if err != nil {
		return nil, false, err
	}
	r.fleet = machines
	return machines, true, nil
}

// ErrNoMachines is a phase that was asked for before there is anything to do it on.
var ErrNoMachines = errors.New("there are no machines yet")

// Made is the machines for a phase that is to work on them.
func (r *Run) Made(ctx context.Context) (fleet.Fleet, error) {
	machines, known, err := r.Fleet(ctx)
	if err == nil && !known {
		return nil, &Error{Cause: ErrNoMachines, Hint: "wcctl up"}
	}
	return machines, err
}

// expected are the machines that will be made.
func expected(c *spec.Cluster) fleet.Fleet {
	if c.Spec.Target == spec.Hosts && c.Spec.Hosts != nil {
		return written(c.Spec.Hosts)
	}
	workers := spec.DefaultWorkers
	switch {
	case c.Spec.Local != nil:
		workers = c.Spec.Local.Workers
	case c.Spec.AWS != nil:
		workers = c.Spec.AWS.Workers
	}
	var none roster.Roster // nobody has been removed from a cluster that is not there
	var f fleet.Fleet
	for i, name := range none.Names(c.Metadata.Name, workers) {
		role := fleet.Worker
		if i == 0 {
			role = fleet.ControlPlane
		}
		f = append(f, fleet.Machine{Name: name, Role: role})
	}
	return f
}

// written are machines that exist already, as the configuration has them.
func written(h *spec.HostsTarget) fleet.Fleet {
	var f fleet.Fleet
	for i, host := range append([]spec.Host{h.ControlPlane}, h.Workers...) {
		role := fleet.Worker
		if i == 0 {
			role = fleet.ControlPlane
		}
		f = append(f, fleet.Machine{
			Name: host.Name, Role: role, Address: host.PrivateAddress, Edge: host.Edge,
			Architecture: host.Architecture,
			SSH:          fleet.SSH{Host: host.Address, Port: host.Port, User: host.User},
		})
	}
	return f
}

// at are the machines of a place.
func at(place Place, machines fleet.Fleet) fleet.Fleet {
	switch place {
	case EveryMachine:
		return machines
	case OnControlPlane:
		return machines[:1]
	case EachWorker:
		return machines.Workers()
	case Here:
	}
	return nil
}

// lookAt makes sure that this run has logged in to the machines and looked at each once.
func (r *Run) lookAt(ctx context.Context, machines fleet.Fleet, wait time.Duration) {
	if r.hosts == nil {
		r.hosts = map[string]*host{}
	}
	var todo []*host
	for _, m := range machines {
		h := r.hosts[m.Name]
		if h == nil || h.lost() {
			h = &host{machine: m}
			r.hosts[m.Name] = h
		}
		if h.survey == nil {
			todo = append(todo, h)
		}
	}
	r.each(len(todo), func(i int) { todo[i].look(ctx, r.Dial, wait) })
}

func (h *host) lost() bool {
	if h.shell == nil {
		return false
	}
	select {
	case <-h.shell.Done():
		return true
	default:
		return false
	}
}

func (h *host) look(ctx context.Context, dial Dial, wait time.Duration) {
	h.err = nil
	if h.shell == nil {
		if h.shell, h.err = dial(ctx, h.machine, wait); h.err != nil {
			h.shell = nil
			return
		}
	}
	h.survey, h.err = look(ctx, h.shell)
}

// forgetLooks makes the next lookAt ask again.
func (r *Run) forgetLooks(names ...string) {
	for name, h := range r.hosts {
		if len(names) == 0 || slices.Contains(names, name) {
			h.survey = nil
		}
	}
}

// each does 0..n-1, Parallel at a time.
func (r *Run) each(n int, do func(i int)) {
	slots := make(chan struct{}, max(1, r.Parallel))
	var group sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	group.Wait()
}

// forgetAPI makes the next question go to the API again.
func (r *Run) forgetAPI() { r.nodes = nil }

// askNodes lists the cluster's nodes once; ok is false where the API does not answer.
func (r *Run) askNodes(ctx context.Context) (nodes []Node, ok bool) {
	if r.nodes != nil {
		return *r.nodes, true
	}
	k := r.api()
	if k == nil {
		return nil, false
	}
	nodes, err := k.Nodes(ctx)
	if err != nil {
		return nil, false
	}
	r.nodes = &nodes
	return nodes, true
}

// api opens the cluster's API; nil where there is no kubeconfig yet.
func (r *Run) api() Kube {
	k, err := r.Connect(r.Folder.Kubeconfig())
	if err != nil {
		return nil
	}
	return k
}

func (r *Run) emit(e event.Event) { r.Sink.Emit(e) }

func (r *Run) note(phase, host, text string) {
	r.emit(event.Event{Kind: event.Note, Phase: phase, Host: host, Text: text})
}

func (r *Run) warn(phase, host, text, hint string) {
	r.emit(event.Event{Kind: event.Warning, Phase: phase, Host: host, Text: text, Hint: hint})
}
