// Package ansible plays the phases that Ansible does and tells what happens on each machine.
package ansible

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	inventoryFile = "inventory.yaml"
	variablesFile = "variables.json"

	privateFile = 0o600
	privateDir  = 0o700

	defaultForks = 10
	defaultGrace = 10 * time.Second
)

// Options are a Runner's; only Dir must be set.
type Options struct {
	// Dir holds ansible.cfg, the playbooks and the roles.
	Dir string
	// Work is where the inventory, the variables and connections are kept; Dir where it is empty.
	Work string
	// KnownHosts pins the machines' host keys; a machine that is not in it is not spoken to.
	KnownHosts string
	// KeyFile is the SSH key; OpenSSH's own choice where it is empty. The agent is asked too.
	KeyFile string
	// KeyOnly leaves the agent's other keys out: a server hangs up after a few that it refuses.
	KeyOnly bool
	Bastion *spec.Bastion
	// Forks is how many machines are worked on at once.
	Forks int
	Sink  event.Sink
	// Log receives all that ansible-playbook prints.
	Log io.Writer
	// Program is ansible-playbook's path where PATH shall not name it.
	Program string
	// Environ is where the allowed part of the environment comes from; the process's own if nil.
	Environ []string
	// Grace is how long an interrupted play may take to end before it is killed.
	Grace time.Duration
}

// Runner plays one phase at a time.
type Runner struct {
	options Options
	program string
	sockets string
}

// Play is what to play, and where.
type Play struct {
	// Phase names the playbook in Dir, without .yml.
	Phase string
	Fleet fleet.Fleet
	// Hosts are the machines that have work; all of them where it is empty.
	Hosts []string
	// Vars are the roles' variables; they must hold no secret.
	Vars map[string]any
}

// Result is how it went on each machine that the play reached.
type Result map[string]Host

// Host is how it went on one machine.
type Host struct {
	// OK, Changed and Failed count tasks.
	OK, Changed, Failed int
	Unreachable         bool
	// Complete tells that all tasks ended well.
	Complete bool
	// Files are the paths that the phase manages there, sorted.
	Files []string
}

// New finds ansible-playbook.
func New(o Options) (*Runner, error) {
	o = withDefaults(o)
	program, err := find(o)
	if err != nil {
		return nil, err
	}
	if o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fmt.Errorf("looking for the playbooks: %w", err)
	}
	if o.Work, err = filepath.Abs(o.Work); err != nil {
		return nil, fmt.Errorf("looking for the folder of the inventory: %w", err)
	}
	return &Runner{options: o, program: program}, nil
}

func withDefaults(o Options) Options {
	if o.Work == "" {
		o.Work = o.Dir
	}
	if o.KnownHosts == "" {
		o.KnownHosts = os.DevNull
	}
	if o.Forks == 0 {
		o.Forks = defaultForks
	}
	if o.Sink == nil {
		o.Sink = event.SinkFunc(func(event.Event) {})
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	return o
}

// Play runs one playbook. Its result tells how it went even where it also returns an error: a
// *TaskError where a task failed or a machine did not answer.
func (r *Runner) Play(ctx context.Context, p Play) (Result, error) {
	if err := r.prepare(p); err != nil {
		return nil, err
	}
	s := newStream(p.Phase, r.options.Sink, r.options.Log)
	err := r.run(ctx, p, s)
	result := s.result()
	switch {
	case ctx.Err() != nil:
		return result, fmt.Errorf("playing %s: %w", p.Phase, context.Cause(ctx))
	case s.tooOld() != nil:
		return result, s.tooOld()
	case len(s.failures) > 0 && !result.complete():
		return result, s.taskError()
	case err != nil || !s.seen:
		return result, r.unexplained(ctx, p.Phase, s, err)
	}
	return result, result.covers(p)
}

// Close ends the SSH connections that were kept open between plays.
func (r *Runner) Close() error {
	if r.sockets == "" {
		return nil
	}
	return closeSockets(r.sockets)
}

// prepare writes what ansible-playbook reads.
func (r *Runner) prepare(p Play) error {
	if _, err := os.Stat(r.playbook(p.Phase)); err != nil {
		return fmt.Errorf("looking for the playbook of %s: %w", p.Phase, err)
	}
	if err := os.MkdirAll(r.options.Work, privateDir); err != nil {
		return fmt.Errorf("making the folder of the inventory: %w", err)
	}
	if r.sockets == "" {
		dir, err := socketDir(r.options.Work)
		if err != nil {
			return err
		}
		r.sockets = dir
	}
	inventory, err := r.inventory(p.Fleet)
	if err != nil {
		return err
	}
	vars := p.Vars
	if vars == nil {
		vars = map[string]any{}
	}
	variables, err := json.MarshalIndent(vars, "", "  ")
	if err != nil {
		return fmt.Errorf("writing the variables: %w", err)
	}
	return errors.Join(
		r.write(inventoryFile, inventory),
		r.write(variablesFile, append(variables, '\n')),
	)
}

func (r *Runner) write(name string, data []byte) error {
	path := filepath.Join(r.options.Work, name)
	if err := os.WriteFile(path, data, privateFile); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func (r *Runner) playbook(phase string) string {
	return filepath.Join(r.options.Dir, phase+".yml")
}

func (r Result) complete() bool {
	for _, h := range r {
		if !h.Complete {
			return false
		}
	}
	return len(r) > 0
}

// covers is an error where a machine that was asked for did not take part.
func (r Result) covers(p Play) error {
	var missing []string
	for _, name := range p.Hosts {
		if !r[name].Complete {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("playing %s: it has nothing for %s", p.Phase, strings.Join(missing, ", "))
	}
	return nil
}
