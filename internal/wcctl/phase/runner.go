package phase

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// maxTries is how often a phase is begun whose machine went away meanwhile.
const maxTries = 3

// Journal keeps what was begun and done.
type Journal interface {
	Note(e workspace.Entry) error
}

// Runner goes through phases.
type Runner struct {
	Run     *Run
	Phases  []Phase
	Journal Journal
	// Log is the path of the run's record, for errors.
	Log string
	// Explain words a cause that is known from elsewhere; it may be nil.
	Explain func(err error) (hint string)
}

// Select returns the phases from one on, or only those named; empty arguments mean all.
func Select(phases []Phase, from string, only []string) ([]Phase, error) {
	for _, name := range append(slices.Clone(only), from) {
		if name != "" && !slices.ContainsFunc(phases, named(name)) {
			return nil, fmt.Errorf("no phase is named %q; they are %s", name,
				strings.Join(Names(phases), ", "))
		}
	}
	if from != "" {
		phases = phases[slices.IndexFunc(phases, named(from)):]
	}
	if len(only) == 0 {
		return phases, nil
	}
	var chosen []Phase
	for _, p := range phases {
		if slices.Contains(only, p.Name()) {
			chosen = append(chosen, p)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("%s comes before %s", strings.Join(only, ", "), from)
	}
	return chosen, nil
}

func named(name string) func(Phase) bool { return func(p Phase) bool { return p.Name() == name } }

// Names are the phases' names.
func Names(phases []Phase) []string {
	names := make([]string, len(phases))
	for i, p := range phases {
		names[i] = p.Name()
	}
	return names
}

// Plan is what a run would do, phase by phase.
type Plan struct {
	Phases []Planned `json:"phases"`
}

// Planned is a phase in a plan.
type Planned struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Changes []Change `json:"changes"`
}

// Changes counts all of them.
func (p Plan) Changes() int {
	n := 0
	for _, step := range p.Phases {
		n += len(step.Changes)
	}
	return n
}

// Plan asks every phase what it would do.
func (r *Runner) Plan(ctx context.Context) (Plan, error) {
	var plan Plan
	for _, p := range r.Phases {
		changes, err := p.Pending(ctx, r.Run)
		if err != nil {
			return Plan{}, r.explain(ctx, p, err)
		}
		if changes == nil {
			changes = []Change{}
		}
		plan.Phases = append(plan.Phases, Planned{Name: p.Name(), Title: p.Title(), Changes: changes})
	}
	return plan, nil
}

// Result is what a run has done.
type Result struct {
	// Changed counts the phases that had work.
	Changed int
	Took    time.Duration
}

// Up does what is pending, phase by phase, and stops at the first failure.
func (r *Runner) Up(ctx context.Context) (Result, error) {
	var result Result
	start := time.Now()
	if err := r.journal("", workspace.WholeRun, workspace.Started, 0, nil); err != nil {
		return result, err
	}
	for i, p := range r.Phases {
		worked, err := r.step(ctx, i, p)
		if worked {
			result.Changed++
		}
		if err != nil {
			result.Took = time.Since(start)
			failed := r.explain(ctx, p, err)
			return result, errors.Join(failed,
				r.journal("", workspace.WholeRun, workspace.Failed, result.Took, failed))
		}
	}
	result.Took = time.Since(start)
	return result, r.journal("", workspace.WholeRun, workspace.Done, result.Took, nil)
}

// step does one phase; worked tells that it had something to do.
func (r *Runner) step(ctx context.Context, i int, p Phase) (worked bool, err error) {
	e := event.Event{Phase: p.Name(), Task: p.Title(), Done: i, Total: len(r.Phases)}
	changes, err := p.Pending(ctx, r.Run)
	if err != nil {
		r.fail(ctx, e, 0, err)
		return false, err
	}
	if len(changes) == 0 {
		e.Kind, e.Done = event.PhaseSkipped, i+1
		r.Run.emit(e)
		return false, nil
	}
	start := time.Now()
	e.Kind, e.Hosts = event.PhaseStarted, hostsOf(changes)
	r.Run.emit(e)
	e.Hosts = nil
	if err := r.mark(p, changes, workspace.Started, 0, nil); err != nil {
		return true, err
	}
	err = r.try(ctx, p, changes)
	took := time.Since(start)
	if err != nil {
		r.fail(ctx, e, took, err)
		return true, errors.Join(err, r.mark(p, r.left(ctx, p, changes), workspace.Failed, took, err))
	}
	if err := r.mark(p, changes, workspace.Done, took, nil); err != nil {
		return true, err
	}
	e.Kind, e.Done, e.Seconds = event.PhaseFinished, i+1, took.Seconds()
	r.Run.emit(e)
	return true, nil
}

// try does the phase, again only where machines went away and came back.
func (r *Runner) try(ctx context.Context, p Phase, changes []Change) error {
	for attempt := 1; ; attempt++ {
		err := p.Apply(ctx, r.Run, changes)
		if err == nil || ctx.Err() != nil || attempt == maxTries || !temporary(err) {
			return err
		}
		r.Run.warn(p.Name(), hostOf(err), fmt.Sprintf("%v; waiting for it for up to %s, then going on",
			err, r.Run.Patience), "")
		if err := r.Run.await(ctx, changes); err != nil {
			return err
		}
		if changes, err = p.Pending(ctx, r.Run); err != nil || len(changes) == 0 {
			return err
		}
	}
}

// await logs in again to the machines that the changes name.
func (r *Run) await(ctx context.Context, changes []Change) error {
	all, err := r.Made(ctx)
	if err != nil {
		return err
	}
	var errs []error
	r.forgetLooks()
	r.lookAt(ctx, all, r.Patience)
	for _, c := range changes {
		if h := r.hosts[c.Host]; h != nil {
			errs = append(errs, h.err)
		}
	}
	return errors.Join(errs...)
}

// left are the changes that a failed phase has not made; all where that cannot be told.
func (r *Runner) left(ctx context.Context, p Phase, changes []Change) []Change {
	if ctx.Err() != nil {
		return changes
	}
	if _, ok := p.(play); !ok {
		return changes
	}
	left, err := p.Pending(ctx, r.Run)
	if err != nil || len(left) == 0 {
		return changes
	}
	return left
}

func (r *Runner) fail(ctx context.Context, e event.Event, took time.Duration, err error) {
	failed := &Error{}
	if !errors.As(r.explain(ctx, nil, err), &failed) {
		failed.Cause = err
	}
	e.Kind, e.Host, e.Seconds, e.Log = event.PhaseFailed, failed.Host, took.Seconds(), r.Log
	if failed.Task != "" {
		e.Task = failed.Task
	}
	e.Text, e.Hint = failed.Cause.Error(), failed.Hint
	r.Run.emit(e)
}

// mark notes a state for each machine that the changes name, or for this computer.
func (r *Runner) mark(
	p Phase, changes []Change, state workspace.State, took time.Duration, cause error,
) error {
	hosts := hostsOf(changes)
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	for _, host := range hosts {
		if err := r.journal(host, p.Name(), state, took, cause); err != nil {
			return err
		}
	}
	return nil
}

// hostsOf are the machines that changes name, each once.
func hostsOf(changes []Change) []string {
	var hosts []string
	for _, c := range changes {
		if c.Host != "" && !slices.Contains(hosts, c.Host) {
			hosts = append(hosts, c.Host)
		}
	}
	return hosts
}

func (r *Runner) journal(
	host, phase string, state workspace.State, took time.Duration, cause error,
) error {
	e := workspace.Entry{Phase: phase, Host: host, State: state, Seconds: took.Seconds()}
	if cause != nil {
		e.Text = redact.Text(cause.Error())
	}
	return r.Journal.Note(e)
}
