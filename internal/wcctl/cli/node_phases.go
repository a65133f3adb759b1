package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
)

const (
	drainName   = "drain"
	declareName = "declare"
	deleteName  = "delete-node"
	cleanName   = "clean"
	// undoTimeout bounds what is done after an interrupt.
	undoTimeout = 15 * time.Second
	// removePlay is the playbook that takes a machine out of its cluster.
	removePlay = "remove"
)

// drainNode moves a node's pods to others. Where that fails, the node takes pods again.
type drainNode struct {
	*nodeWork
	node    string
	force   bool
	timeout time.Duration
}

// Name implements phase.Phase.
func (drainNode) Name() string { return drainName }

// Title implements phase.Phase.
func (drainNode) Title() string { return "Empty the node" }

// Place implements phase.Phase.
func (drainNode) Place() phase.Place { return phase.Here }

// About implements phase.Phase.
func (drainNode) About() string {
	return "Keeps new pods from the node and evicts its pods. A node that does not answer, or stops to, is left out."
}

// Pending fails for pods that would be lost: better now than half-way.
func (d drainNode) Pending(ctx context.Context, r *phase.Run) ([]phase.Change, error) {
	k, err := clusterOf(r)
	if err != nil {
		return nil, err
	}
	found, ready, err := k.HasNode(ctx, d.node)
	if err != nil || !found || !ready {
		return nil, err
	}
	pods, err := k.Evictable(ctx, d.node, d.force)
	if err != nil {
		return nil, d.explain(err)
	}
	what := "move " + counted(len(pods), "pod") + " to other nodes"
	return []phase.Change{{Phase: drainName, Host: d.node, What: what}}, nil
}

// explain gives the errors of draining their hints.
func (d drainNode) explain(err error) error {
	var unmanaged *kube.UnmanagedError
	var protected *kube.ProtectedError
	e := &phase.Error{Phase: drainName, Host: d.node, Cause: err}
	switch {
	case errors.As(err, &unmanaged):
		e.Hint = "kubectl get pods -A --field-selector spec.nodeName=" + d.node +
			"\nrun the same command with --force to delete them for good"
	case errors.As(err, &protected):
		e.Hint = "kubectl get poddisruptionbudgets -A\nrun the same command with a longer --timeout, or --force"
	default:
		return err
	}
	return e
}

// Apply notes first that it is wcctl who cordons, so that whoever comes after can undo it.
func (d drainNode) Apply(ctx context.Context, r *phase.Run, _ []phase.Change) error {
	k, err := clusterOf(r)
	if err != nil {
		return err
	}
	did, err := k.Cordon(ctx, d.node)
	if err == nil && did {
		err = d.remember(func(known *roster.Roster) { known.Cordoned = append(known.Cordoned, d.node) })
	}
	if err == nil {
		err = k.Drain(ctx, kube.DrainOptions{
			Node: d.node, Timeout: d.timeout, Force: d.force,
			Tell: func(text string) {
				r.Sink.Emit(event.Event{Kind: event.Note, Phase: drainName, Host: d.node, Text: text})
			},
		})
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kube.ErrNodeLost):
		r.Sink.Emit(event.Event{
			Kind: event.Warning, Phase: drainName, Host: d.node, Text: err.Error() + "; its pods start elsewhere",
		})
		return nil
	default:
		return errors.Join(d.explain(err), d.undo(ctx, r, k))
	}
}

// undo opens the node again if it was wcctl who closed it.
func (d drainNode) undo(ctx context.Context, r *phase.Run, k *kube.Cluster) error {
	known, err := roster.Load(d.folder)
	if err != nil || !slices.Contains(known.Cordoned, d.node) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	if err := k.Uncordon(ctx, d.node); err != nil {
		return fmt.Errorf("%s is still cordoned: %w", d.node, err)
	}
	r.Sink.Emit(event.Event{
		Kind: event.Note, Phase: drainName, Host: d.node, Text: "it takes new pods again",
	})
	return d.forgetCordon(d.node)
}

// forgetCordon ends wcctl's care for a node's cordon.
func (c *nodeWork) forgetCordon(node string) error {
	return c.remember(func(known *roster.Roster) {
		known.Cordoned = slices.DeleteFunc(known.Cordoned, func(n string) bool { return n == node })
	})
}

// declareWorkers writes down which workers there shall be: from here on wcctl up goes the same way.
type declareWorkers struct{ *nodeWork }

// Name implements phase.Phase.
func (declareWorkers) Name() string { return declareName }

// Title implements phase.Phase.
func (declareWorkers) Title() string { return "Write down the workers" }

// Place implements phase.Phase.
func (declareWorkers) Place() phase.Place { return phase.Here }

// About implements phase.Phase.
func (declareWorkers) About() string {
	return "Changes the number of workers in wastecoach.yaml, and keeps the numbers of removed ones."
}

// Pending implements phase.Phase.
func (d declareWorkers) Pending(context.Context, *phase.Run) ([]phase.Change, error) {
	known, err := roster.Load(d.folder)
	if err != nil {
		return nil, err
	}
	count := *workersIn(d.cluster)
	if d.counted == count && known.Wanted == 0 && slices.Equal(known.Retired, d.roster.Retired) {
		return nil, nil
	}
	return []phase.Change{{
		Phase: declareName, What: fmt.Sprintf("write %s into %s", workersOf(count), d.file),
	}}, nil
}

// Apply writes two files. Whoever is killed between them goes on with the same command, which finds
// the number in Wanted.
func (d declareWorkers) Apply(context.Context, *phase.Run, []phase.Change) error {
	count := *workersIn(d.cluster)
	err := d.remember(func(known *roster.Roster) {
		known.Retired, known.Wanted = d.roster.Retired, count
	})
	if err != nil {
		return err
	}
	if err := writeWorkers(d.file, d.cluster.Spec.Target, count); err != nil {
		return err
	}
	d.counted = count
	return d.remember(func(known *roster.Roster) { known.Wanted = 0 })
}

// deleteNode takes a node out of the API: what ran there starts elsewhere.
type deleteNode struct {
	*nodeWork
	node string
}

// Name implements phase.Phase.
func (deleteNode) Name() string { return deleteName }

// Title implements phase.Phase.
func (deleteNode) Title() string { return "Delete the node" }

// Place implements phase.Phase.
func (deleteNode) Place() phase.Place { return phase.Here }

// About implements phase.Phase.
func (deleteNode) About() string { return "Deletes the node from the cluster." }

// Pending implements phase.Phase.
func (d deleteNode) Pending(ctx context.Context, r *phase.Run) ([]phase.Change, error) {
	k, err := clusterOf(r)
	if err != nil {
		return nil, err
	}
	found, ready, err := k.HasNode(ctx, d.node)
	if err != nil || !found {
		return nil, err
	}
	change := phase.Change{Phase: deleteName, Host: d.node, What: "delete the node"}
	if !ready {
		change.Why = "it does not answer; its pods start elsewhere"
	}
	return []phase.Change{change}, nil
}

// Apply implements phase.Phase.
func (d deleteNode) Apply(ctx context.Context, r *phase.Run, _ []phase.Change) error {
	k, err := clusterOf(r)
	if err != nil {
		return err
	}
	if err := k.DeleteNode(ctx, d.node); err != nil {
		return err
	}
	return d.forgetCordon(d.node)
}

// cleanMachine takes a machine that stays out of the cluster.
type cleanMachine struct {
	*nodeWork
	name string
	// force goes on where the machine does not answer.
	force bool
}

// Name implements phase.Phase.
func (cleanMachine) Name() string { return cleanName }

// Title implements phase.Phase.
func (cleanMachine) Title() string { return "Clean the machine" }

// Place implements phase.Phase.
func (cleanMachine) Place() phase.Place { return phase.Here }

// About implements phase.Phase.
func (cleanMachine) About() string {
	return "Removes Kubernetes and what came with it from a machine that stays."
}

// Pending implements phase.Phase.
func (c cleanMachine) Pending(context.Context, *phase.Run) ([]phase.Change, error) {
	return []phase.Change{{
		Phase: cleanName, Host: c.name, What: "remove Kubernetes and what came with it",
	}}, nil
}

// Apply implements phase.Phase.
func (c cleanMachine) Apply(ctx context.Context, r *phase.Run, _ []phase.Change) error {
	result, err := r.Play(ctx, phase.Playing{Phase: removePlay, Fleet: c.fleet, Hosts: []string{c.name}})
	if err == nil && !result[c.name].OK {
		err = errors.New("it was not cleaned")
	}
	if err != nil && c.force && ctx.Err() == nil {
		r.Sink.Emit(event.Event{
			Kind: event.Warning, Phase: cleanName, Host: c.name,
			Text: fmt.Sprintf("it keeps what was installed: %v", err),
		})
		return nil
	}
	return err
}
