// Package terraform drives the terraform program: plan, apply and destroy as events, outputs as
// machines.
package terraform

import (
	"context"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

const (
	// defaultPatience is what a canceled terraform has to write its state before it is killed.
	defaultPatience = 60 * time.Second
	planFiles       = "wastecoach-*.tfplan"
	// ErroredState is what terraform leaves where it could not store its state.
	ErroredState = "errored.tfstate"
)

// Options are a client's inputs.
type Options struct {
	// Dir is a folder that Prepare has filled.
	Dir string
	// Shown is the folder that errors and hints name, where Dir is a copy of it that will go away.
	Shown string
	// Dry takes no lock, so that nothing is written but in Dir; Apply and Destroy refuse.
	Dry bool
	// Repeatable tells that what is there may be made once more without harm: a state that a killed
	// run has torn then needs nobody's decision.
	Repeatable bool
	// Program is the path of terraform; ProgramVariable or PATH tell it where this is empty.
	Program string
	// Environ is the environment, os.Environ where it is nil; only what allowed names is passed on.
	Environ []string
	// Extra is passed on besides, e.g. to programs that the module starts.
	Extra map[string]string
	// Log receives everything that terraform prints; it may be nil.
	Log io.Writer
	// Phase is the name that events carry.
	Phase string
	// Replace are addresses of resources that Plan makes anew, e.g. a dead machine's.
	Replace []string
	// Patience is the time between SIGINT and SIGKILL; defaultPatience where it is 0.
	Patience time.Duration
}

// Client runs terraform in one folder, one command at a time. A use ends with Close.
type Client struct {
	options Options
	log     io.Writer
	program string

	mu      sync.Mutex
	tf      *tfexec.Terraform
	opened  bool
	planned *plan
}

// New finds the terraform program. What is wrong with it is told with a hint.
func New(o Options) (*Client, error) {
	if o.Environ == nil {
		o.Environ = os.Environ()
	}
	if o.Patience == 0 {
		o.Patience = defaultPatience
	}
	if o.Shown == "" {
		o.Shown = o.Dir
	}
	log := o.Log
	if log == nil {
		log = io.Discard
	}
	program, err := find(o)
	if err != nil {
		return nil, err
	}
	tf, err := tfexec.NewTerraform(o.Dir, program)
	if err != nil {
		return nil, &Error{Act: "opening " + o.Dir, Cause: err}
	}
	if err := tf.SetEnv(environment(o.Environ, o.Extra)); err != nil {
		return nil, &Error{Act: "setting Terraform's environment", Cause: err}
	}
	if err := tf.SetWaitDelay(o.Patience); err != nil {
		return nil, &Error{Act: "setting Terraform's patience", Cause: err}
	}
	return &Client{options: o, log: log, program: program, tf: tf}, nil
}

// Close removes a plan that was not applied.
func (c *Client) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forget()
}

// run does one command; what it prints goes to the log and, as events, to the sink.
func (c *Client) run(
	ctx context.Context, act string, sink event.Sink, command func(w io.Writer) error,
) (*stream, error) {
	s := newStream(c.log, sink, c.options.Phase)
	stderr := newTail(c.log)
	c.tf.SetStderr(stderr)
	// A JSON command leaves its writer set.
	defer c.tf.SetStdout(nil)
	err := locked(func() error { return command(s) })
	s.flush()
	if err == nil {
		return s, nil
	}
	return s, c.explain(ctx, act, err, s, stderr)
}

// locked runs a command on a thread of its own that stays until the command has ended: terraform's
// Pdeathsig would else fire when Go ends an idle thread (golang/go#27505).
func locked(command func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		done <- command()
	}()
	return <-done
}

// open checks the program's version and the state, then initializes the folder; once per client.
// What a killed run has torn is put right where that needs no decision.
func (c *Client) open(ctx context.Context, sink event.Sink) error {
	if c.opened {
		return nil
	}
	if err := c.checkVersion(ctx); err != nil {
		return err
	}
	if err := c.checkState(sink); err != nil {
		return err
	}
	_, err := c.run(ctx, "initializing Terraform", sink, func(w io.Writer) error {
		return c.tf.InitJSON(ctx, w)
	})
	c.opened = err == nil
	return err
}
