package phase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

// machines has Terraform make, change or replace the machines.
type machines struct{}

func (machines) Name() string  { return machinesName }
func (machines) Title() string { return "Make the machines" }
func (machines) Place() Place  { return Here }

func (machines) About() string {
	return "Runs Terraform in the target's module. It has work when Terraform's own plan has changes; " +
		"its output `machines` is all that the later phases know of the target. Machines on this " +
		"computer that are off are switched on."
}

// Pending is Terraform's plan, made once per run until Apply has used it.
func (machines) Pending(ctx context.Context, r *Run) ([]Change, error) {
	if r.planned == nil {
		changes, err := r.Terraform.Plan(ctx, r.Sink)
		if err != nil {
			return nil, err
		}
		r.planned = &changes
	}
	if err := r.keepsControlPlane(ctx); err != nil {
		return nil, err
	}
	list := listed(machinesName, *r.planned)
	off, err := r.off()
	for _, name := range off {
		list = append(list, Change{Phase: machinesName, Host: name, What: "switch it on", Why: "it is off"})
	}
	return list, err
}

// listed are Terraform's changes as a phase's.
func listed(phase string, changes []terraform.Change) []Change {
	var list []Change
	for _, c := range changes {
		// The output follows the machines.
		if strings.HasPrefix(c.Address, "output.") && len(changes) > 1 {
			continue
		}
		list = append(list, Change{Phase: phase, What: string(c.Action) + " " + c.Address, Why: reason(c)})
	}
	// Terraform's own order changes from plan to plan.
	slices.SortFunc(list, func(a, b Change) int { return strings.Compare(a.What, b.What) })
	return list
}

func (r *Run) off() ([]string, error) {
	if r.Power == nil {
		return nil, nil
	}
	return r.Power.Off()
}

func (r *Run) switchOn() error {
	off, err := r.off()
	for _, name := range off {
		err = errors.Join(err, r.Power.Start(name))
	}
	return err
}

func reason(c terraform.Change) string { return strings.ReplaceAll(c.Reason, "_", " ") }

// Apply makes them. What was known of the machines before is forgotten.
func (machines) Apply(ctx context.Context, r *Run, _ []Change) error {
	changes := *r.planned
	// Forgotten before, so that a run that is killed leaves no key of a machine that is gone.
	before, _, err := r.Fleet(ctx)
	if err == nil {
		err = r.forgetKeys(before, changes)
	}
	if err != nil {
		return err
	}
	r.planned, r.fleet, r.vars = nil, nil, nil
	r.tunnels.close()
	r.dropHosts()
	if err := r.Terraform.Apply(ctx, r.Sink); err != nil {
		return err
	}
	if err := r.switchOn(); err != nil {
		return err
	}
	found, err := r.Made(ctx)
	if err != nil {
		return err
	}
	if err := r.forgetKeys(found, changes); err != nil {
		return err
	}
	r.note(machinesName, "", fmt.Sprintf("%d machines: %s", len(found), strings.Join(found.Names(), ", ")))
	return nil
}

// forgetKeys drops the host keys of machines that Terraform makes; those of hosts that are there
// already stay, whatever Terraform says.
func (r *Run) forgetKeys(machines fleet.Fleet, changes []terraform.Change) error {
	if r.Cluster.Spec.Target == spec.Hosts {
		return nil
	}
	for _, m := range machines {
		if m.SSH.Host == "" || !makes(changes, m.Name) {
			continue
		}
		if err := r.Forget(m); err != nil {
			return err
		}
	}
	return nil
}

// keepsControlPlane refuses a plan that takes the control plane of a living cluster away: all of the
// cluster's data lies there, and nobody means that who changes a setting of the machines.
func (r *Run) keepsControlPlane(ctx context.Context) error {
	if !slices.ContainsFunc(*r.planned, takes) {
		return nil
	}
	all, known, err := r.Fleet(ctx)
	if err != nil || !known {
		return err
	}
	control := all.ControlPlane().Name
	i := slices.IndexFunc(*r.planned, func(c terraform.Change) bool { return takes(c) && names(c, control) })
	if i < 0 {
		return nil
	}
	alive, err := r.hasCluster(ctx, all[:1])
	if err != nil || !alive {
		return err
	}
	change := (*r.planned)[i]
	return &Error{
		Phase: machinesName, Host: control,
		Cause: fmt.Errorf("%s %s would delete the control plane, and with it all data of the cluster",
			change.Action, change.Address),
		Hint: putBackHint,
	}
}

// hasCluster tells whether the control plane, the first of the machines, holds a cluster, or may hold
// one: it is off, or lets nobody in, e.g. where the key was lost.
func (r *Run) hasCluster(ctx context.Context, machines fleet.Fleet) (bool, error) {
	off, err := r.off()
	if err != nil || slices.Contains(off, machines[0].Name) {
		return true, err
	}
	r.lookAt(ctx, machines, 0)
	h := r.hosts[machines[0].Name]
	var login *remote.Error
	if errors.As(h.err, &login) {
		return !login.Temporary(), nil
	}
	return h.survey != nil && h.survey.made != nil, nil
}

// takes tells whether what was there goes.
func takes(c terraform.Change) bool {
	return c.Action == terraform.Delete || c.Action == terraform.Replace
}

// names tells whether a change is of the machine of that name.
func names(c terraform.Change, machine string) bool {
	return strings.Contains(c.Address, `"`+machine+`"`)
}

// touched tells whether Terraform will make or replace the machine of that name.
func (r *Run) touched(name string) bool { return r.planned != nil && makes(*r.planned, name) }

func makes(changes []terraform.Change, name string) bool {
	for _, c := range changes {
		switch c.Action {
		case terraform.Create, terraform.Replace:
			if names(c, name) {
				return true
			}
		case terraform.Update, terraform.Delete, terraform.Forget, terraform.Move, terraform.Import:
		}
	}
	return false
}
