package phase

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	removeName  = "remove"
	destroyName = "destroy"
	verifyName  = "verify"
)

// Down is the way back, for `wcctl down`.
func Down(target spec.Target) []Phase {
	if target == spec.Hosts {
		return []Phase{remove{}, destroy{}, verify{}}
	}
	return []Phase{destroy{}, verify{}}
}

// Leftovers lists what is still there of a cluster that was taken down.
type Leftovers func(ctx context.Context, machines fleet.Fleet) ([]string, error)

// remove takes machines that stay out of the cluster.
type remove struct{}

func (remove) Name() string  { return removeName }
func (remove) Title() string { return "Remove the cluster from the machines" }
func (remove) Place() Place  { return EveryMachine }

func (remove) About() string {
	return "Resets the machines with kubeadm and removes what the roles made; the machines stay."
}

// Pending names the machines; those that Terraform forgot already are in the configuration.
func (remove) Pending(ctx context.Context, r *Run) ([]Change, error) {
	all, _, err := r.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	r.before = all
	list := make([]Change, len(all))
	for i, m := range all {
		list[i] = Change{Phase: removeName, Host: m.Name, What: "remove Kubernetes and what came with it"}
	}
	return list, nil
}

// Apply fails where a machine does not answer: nobody could say what is left there.
func (remove) Apply(ctx context.Context, r *Run, _ []Change) error {
	patience := r.Patience
	if r.Force {
		patience = 0
	}
	r.lookAt(ctx, r.before, patience)
	var answer fleet.Fleet
	for _, m := range r.before {
		switch h := r.hosts[m.Name]; {
		case h.err == nil:
			if err := r.mayClean(h); err != nil {
				return err
			}
			answer = append(answer, m)
		case r.Force:
			r.warn(removeName, m.Name, h.err.Error()+"; it is left as it is", "")
		default:
			return &Error{
				Phase: removeName, Host: m.Name, Cause: h.err, Hint: "wcctl down --force # leaves it as it is",
			}
		}
	}
	if len(answer) == 0 {
		return nil
	}
	result, err := r.Play(ctx, Playing{Phase: removeName, Fleet: r.before, Hosts: answer.Names()})
	if err != nil {
		return err
	}
	for _, m := range answer {
		if !result[m.Name].OK {
			return &Error{Phase: removeName, Host: m.Name, Cause: errors.New("it was not cleaned")}
		}
	}
	r.forgetLooks()
	return nil
}

// mayClean refuses a machine of another cluster: a second configuration may name it by mistake.
func (r *Run) mayClean(h *host) error {
	name := h.survey.owner()
	if name == "" || name == r.Cluster.Metadata.Name {
		return nil
	}
	return &Error{
		Phase: removeName, Host: h.machine.Name,
		Cause: fmt.Errorf("it belongs to the cluster %q, not to %q; nothing was removed",
			name, r.Cluster.Metadata.Name),
		Hint: "wcctl config show # take it out of spec.hosts, if it is not yours",
	}
}

// destroy has Terraform delete the machines, or forget those that stay.
type destroy struct{}

func (destroy) Name() string  { return destroyName }
func (destroy) Title() string { return "Delete the machines" }
func (destroy) Place() Place  { return Here }

func (destroy) About() string { return "Has Terraform delete all that it made." }

// Pending is Terraform's own plan.
func (destroy) Pending(ctx context.Context, r *Run) ([]Change, error) {
	if all, known, err := r.Fleet(ctx); err == nil && known {
		r.before = all
	}
	changes, err := r.Terraform.PlanDestroy(ctx, r.Sink)
	if err != nil {
		return nil, err
	}
	return listed(destroyName, changes), nil
}

// Apply deletes them, and what this computer remembers of them.
func (destroy) Apply(ctx context.Context, r *Run, _ []Change) error {
	r.tunnels.close()
	if r.Cluster.Spec.Target != spec.Hosts {
		r.dropHosts()
	}
	if err := r.Terraform.Destroy(ctx, r.Sink); err != nil {
		return err
	}
	r.fleet = nil
	if r.Cluster.Spec.Target == spec.Hosts {
		return nil // they stay, and so do their keys
	}
	var errs []error
	for _, m := range r.before {
		errs = append(errs, r.Forget(m))
	}
	return errors.Join(errs...)
}

// verify looks whether the others did what they said.
type verify struct{}

func (verify) Name() string  { return verifyName }
func (verify) Title() string { return "Look for what is left" }
func (verify) Place() Place  { return Here }

func (verify) About() string {
	return "Looks where the machines were for what is left of them, and fails with the list."
}

// Pending always has work: a look costs little.
func (verify) Pending(context.Context, *Run) ([]Change, error) {
	return []Change{{Phase: verifyName, What: "look for what is left"}}, nil
}

// Apply fails with all that was found.
func (verify) Apply(ctx context.Context, r *Run, _ []Change) error {
	left, err := r.Leftovers(ctx, r.before)
	if err != nil {
		return err
	}
	if len(left) == 0 {
		r.note(verifyName, "", "nothing is left")
		return nil
	}
	for _, thing := range left {
		r.warn(verifyName, "", "left: "+thing, "")
	}
	return &Error{
		Phase: verifyName,
		Cause: fmt.Errorf("%d things are left: %s", len(left), strings.Join(left, "; ")),
	}
}
