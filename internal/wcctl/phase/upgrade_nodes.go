package phase

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/util/retry"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

//go:embed upgrade_node.sh
var upgradeNodeScript string

const (
	// kubeletPatience is far more than a kubelet takes to come up and report.
	kubeletPatience = 3 * time.Minute
	kubeletEvery    = 500 * time.Millisecond
	// openPatience bounds what is done after an interrupt.
	openPatience = 15 * time.Second
)

// again is how often a node is begun anew, over a minute and a half: the API server comes back within that.
var again = wait.Backoff{Steps: 10, Duration: 500 * time.Millisecond, Factor: 1.7}

// firmError is one that trying again would not change.
type firmError struct{ error }

func (e firmError) Unwrap() error { return e.error }

// upgradeNodes gives each node the new kubelet while it is empty, one node at a time.
type upgradeNodes struct{ *Upgrade }

func (upgradeNodes) Name() string  { return nodesName }
func (upgradeNodes) Title() string { return "Upgrade the nodes, one by one" }
func (upgradeNodes) Place() Place  { return EveryMachine }

func (upgradeNodes) About() string {
	return "Empties each node as the disruption budgets allow, replaces kubelet, kubeadm and kubectl, waits until " +
		"the node is ready and lets pods onto it again. It has work on a node whose kubelet is of another release."
}

// Pending names the nodes whose kubelet is another, and those that an earlier run left closed.
func (u upgradeNodes) Pending(ctx context.Context, r *Run) ([]Change, error) {
	s, all, err := u.look(ctx, r)
	if err != nil {
		return nil, err
	}
	var list []Change
	for _, m := range all {
		if !s.node(m.Name, r.wanted()) {
			continue
		}
		c := Change{Phase: nodesName, Host: m.Name, What: "empty it, replace kubelet, let pods onto it again"}
		switch k := s.kubelets[m.Name]; {
		case k.Release == r.wanted():
			c.What, c.Why = "let pods onto it again", "it is upgraded"
		case k.Release != "":
			c.Why = "it has " + k.Release
		}
		list = append(list, c)
	}
	return list, nil
}

// Apply stops at the first node that fails: the others go on serving.
func (u upgradeNodes) Apply(ctx context.Context, r *Run, changes []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	live, err := u.Live(r)
	if err != nil {
		return err
	}
	for _, c := range changes {
		m, found := all.Find(c.Host)
		if !found {
			continue
		}
		if err := u.persistently(ctx, r, live, m); err != nil {
			return r.stuck(ctx, nodesName, m.Name, err)
		}
	}
	return nil
}

// persistently goes on where the API server was away: a new kubelet starts it anew, some seconds after its
// node is ready. One that has just come up refuses what it will allow, so no kind of error tells.
func (u *Upgrade) persistently(ctx context.Context, r *Run, live Live, m fleet.Machine) error {
	passing := func(err error) bool {
		firm := errors.As(err, new(firmError)) || errors.As(err, new(*Error))
		return !firm && ctx.Err() == nil
	}
	return retry.OnError(again, passing, func() error {
		err := u.node(ctx, r, live, m)
		if err != nil && passing(err) {
			r.note(nodesName, m.Name, "trying again: "+err.Error())
		}
		return err
	})
}

// node upgrades one. It stays closed where its kubelet may be half replaced: the next run goes on with it.
func (u *Upgrade) node(ctx context.Context, r *Run, live Live, m fleet.Machine) error {
	k, err := kubeletOf(ctx, live, m.Name)
	if err != nil {
		return err
	}
	if k.Release != r.wanted() {
		if err := live.CloseNode(ctx, m.Name); err != nil {
			return err
		}
		if err := r.timed(m, "empty it", func() error { return u.empty(ctx, r, live, m) }); err != nil {
			return err
		}
		if err := r.timed(m, "replace kubelet", func() error { return u.replace(ctx, r, m) }); err != nil {
			return firmError{fmt.Errorf("%w; the node takes no new pods until it is upgraded", err)}
		}
	}
	if err := r.timed(m, "wait for it", func() error { return reported(ctx, live, m.Name, r.wanted()) }); err != nil {
		return err
	}
	if m.Role == fleet.ControlPlane {
		err := r.timed(m, "wait until the control plane stands still", func() error { return calm(ctx, live, u.Calm) })
		if err != nil {
			return err
		}
	}
	return live.OpenNode(ctx, m.Name)
}

// timed tells of a step and how long it took.
func (r *Run) timed(m fleet.Machine, what string, do func() error) error {
	r.emit(event.Event{Kind: event.TaskStarted, Phase: nodesName, Host: m.Name, Task: what})
	start := time.Now()
	if err := do(); err != nil {
		return err
	}
	r.emit(event.Event{
		Kind: event.TaskFinished, Phase: nodesName, Host: m.Name, Task: what, Changed: true,
		Seconds: time.Since(start).Seconds(),
	})
	return nil
}

// empty moves the pods that another node can take. Where that fails, the node takes new ones again.
func (u *Upgrade) empty(ctx context.Context, r *Run, live Live, m fleet.Machine) error {
	err := live.Drain(ctx, kube.DrainOptions{
		Node: m.Name, Timeout: u.Timeout, Force: u.Force, KeepBound: true,
		Tell: func(text string) { r.note(nodesName, m.Name, text) },
	})
	if err == nil {
		return nil
	}
	opening, cancel := context.WithTimeout(context.WithoutCancel(ctx), openPatience)
	defer cancel()
	err = errors.Join(err, live.OpenNode(opening, m.Name))
	var protected *kube.ProtectedError
	if errors.As(err, &protected) {
		return &Error{
			Phase: nodesName, Host: m.Name, Cause: err,
			Hint: "kubectl get poddisruptionbudgets -A\nwcctl upgrade --timeout 30m # goes on; --force deletes them",
		}
	}
	return err
}

// replace puts the fetched programs in place and starts kubelet anew.
func (u *Upgrade) replace(ctx context.Context, r *Run, m fleet.Machine) error {
	one := fleet.Fleet{m}
	r.lookAt(ctx, one, r.Patience)
	if err := r.reachable(one); err != nil {
		return err
	}
	restart, err := fs.ReadFile(r.Ansible, "files/service.sh")
	if err != nil {
		return fmt.Errorf("reading how kubelet is started: %w", err)
	}
	arguments := []string{r.wanted(), string(m.Role), staged(r.wanted()), r.ignoredChecks()}
	// Half a replacement helps nobody: an interrupt waits for its end.
	_, err = r.hosts[m.Name].shell.Output(context.WithoutCancel(ctx),
		"set -- "+strings.Join(arguments, " ")+"\n"+upgradeNodeScript+string(restart), nil)
	r.forgetLooks(m.Name)
	return err
}

// reported waits until the node's new kubelet says that it is ready.
func reported(ctx context.Context, live Live, node, release string) error {
	return patiently(ctx, "its kubelet has not reported", func(ctx context.Context) (bool, error) {
		k, err := kubeletOf(ctx, live, node)
		return err == nil && k.Release == release && k.Ready, err
	})
}

// calm waits until the API server has answered, and its controllers have led, for a while. The new kubelet
// starts them anew some seconds after it is ready; of pods that leave a node just then nobody hears, and
// requests go to them on and on.
func calm(ctx context.Context, live Live, enough time.Duration) error {
	var first map[string]time.Time
	var since time.Time
	return patiently(ctx, "the control plane has not stood still", func(ctx context.Context) (bool, error) {
		now, err := live.Leads(ctx)
		switch {
		case err != nil:
			first = nil
		case first == nil:
			first, since = now, time.Now()
		default:
			return time.Since(since) >= enough && renewed(first, now), nil
		}
		return false, err
	})
}

// patiently asks again and again; what has not happened after all is the error, with what was said last.
func patiently(ctx context.Context, what string, done func(ctx context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, kubeletPatience, fmt.Errorf("%s within %s", what, kubeletPatience))
	defer cancel()
	tick := time.NewTicker(kubeletEvery)
	defer tick.Stop()
	for {
		ok, err := done(ctx)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return firmError{errors.Join(context.Cause(ctx), err)}
		case <-tick.C:
		}
	}
}

// renewed tells whether all have led on, by their own clock.
func renewed(first, now map[string]time.Time) bool {
	for name, at := range first {
		if !now[name].After(at) {
			return false
		}
	}
	return true
}

func kubeletOf(ctx context.Context, live Live, node string) (kube.Kubelet, error) {
	list, err := live.Kubelets(ctx)
	if err != nil {
		return kube.Kubelet{}, err
	}
	for _, k := range list {
		if k.Node == node {
			return k, nil
		}
	}
	return kube.Kubelet{}, errors.New("the cluster has no such node")
}
