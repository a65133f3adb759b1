package phase

import (
	"context"
	"errors"
	"fmt"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// preflight finds what would stop the later phases while nothing has been changed yet.
type preflight struct{}

func (preflight) Name() string  { return preflightName }
func (preflight) Title() string { return "Check the machines" }
func (preflight) Place() Place  { return EveryMachine }

func (preflight) About() string {
	return "Logs in to each machine and checks its system, CPUs, memory, disk, ports, clock, swap, " +
		"cgroups, names and leftovers of another cluster. It has work where a later phase has some, " +
		"or where a machine does not answer."
}

// Pending names the machines that do not answer or that a later phase will change.
func (p preflight) Pending(ctx context.Context, r *Run) ([]Change, error) {
	all, known, err := r.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	const what = "check it"
	var list []Change
	if known {
		r.lookAt(ctx, all, 0)
		if err := r.unchangeable(ctx, all); err != nil {
			return nil, err
		}
	}
	for _, m := range all {
		h := r.hosts[m.Name]
		switch {
		case !known || r.touched(m.Name):
			list = append(list, Change{Phase: preflightName, Host: m.Name, What: what, Why: "a new machine"})
		case h.err != nil:
			list = append(list, Change{Phase: preflightName, Host: m.Name, What: what, Why: h.err.Error()})
		default:
			why, err := p.later(ctx, r, m)
			if err != nil {
				return nil, err
			}
			if why != "" {
				list = append(list, Change{
					Phase: preflightName, Host: m.Name, What: what, Why: "before " + why + " changes it",
				})
			}
		}
	}
	return list, ctx.Err()
}

// later is the first phase that has work on the machine.
func (preflight) later(ctx context.Context, r *Run, m fleet.Machine) (string, error) {
	for _, p := range List() {
		step, ok := p.(play)
		if !ok || !on(step.place, m) {
			continue
		}
		change, err := step.pendingOn(ctx, r, m)
		if err != nil || change != nil {
			return step.name, err
		}
	}
	return "", nil
}

func on(place Place, m fleet.Machine) bool {
	switch place {
	case EveryMachine:
		return true
	case OnControlPlane:
		return m.Role == fleet.ControlPlane
	case EachWorker:
		return m.Role == fleet.Worker
	case Here:
	}
	return false
}

// Apply waits for machines that are just starting, then checks all of them together: clocks and
// names are compared among them.
func (preflight) Apply(ctx context.Context, r *Run, _ []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	r.forgetLooks()
	r.lookAt(ctx, all, r.Patience)
	shells := map[string]Shell{}
	var errs []error
	for _, m := range all {
		h := r.hosts[m.Name]
		if h.err != nil {
			errs = append(errs, h.err)
			continue
		}
		shells[m.Name] = h.shell
		r.emit(event.Event{
			Kind: event.TaskFinished, Phase: preflightName, Host: m.Name, Task: "logged in",
		})
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	findings, err := r.Check(ctx, all, shells)
	if err != nil {
		return err
	}
	return r.judge(preflightName, findings)
}

// judge warns of what can be lived with and fails for the rest, all of it told.
func (r *Run) judge(phase string, findings []Finding) error {
	var first *Error
	fatal := 0
	for _, f := range findings {
		r.warn(phase, f.Host, f.Text, f.Hint)
		if !f.Fatal {
			continue
		}
		if fatal++; first == nil {
			first = &Error{Phase: phase, Host: f.Host, Cause: errors.New(f.Text), Hint: f.Hint}
		}
	}
	if first == nil {
		return nil
	}
	if fatal > 1 {
		first.Cause = fmt.Errorf("%w, and %d more faults above", first.Cause, fatal-1)
	}
	return first
}
