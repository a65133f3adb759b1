//go:build e2e

package cluster

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// running is a wcctl that tells what it does as JSON lines.
type running struct {
	t       *testing.T
	lab     *lab
	command string
	cmd     *exec.Cmd
	start   time.Time
	ended   chan struct{}

	mu     sync.Mutex
	events []event.Event
	news   chan struct{}
	stdout bytes.Buffer
	stderr bytes.Buffer
}

// up starts `wcctl up` offline and without questions.
func (l *lab) up() *running {
	l.t.Helper()
	return l.start("up", "--bundle", l.bundle, "--yes")
}

// start runs wcctl with -o json; the test's end ends it.
func (l *lab) start(args ...string) *running {
	l.t.Helper()
	args = append(args, "--output", "json")
	cmd := exec.CommandContext(context.WithoutCancel(l.t.Context()), wcctlPath(l.t), args...)
	cmd.Dir, cmd.Env = l.dir, l.environ()
	r := &running{
		t: l.t, lab: l, command: "wcctl " + strings.Join(args, " "), cmd: cmd, start: time.Now(),
		ended: make(chan struct{}), news: make(chan struct{}),
	}
	cmd.Stderr = &r.stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.t.Fatalf("%s: %v", r.command, err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		r.read(out)
	}()
	go func() {
		<-read
		_ = cmd.Wait() // the exit code tells
		l.record(r.result())
		close(r.ended)
	}()
	l.t.Cleanup(func() {
		_ = cmd.Process.Kill() // mostly it has ended
		<-r.ended
	})
	return r
}

func (r *running) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event.Event
		err := json.Unmarshal(lines.Bytes(), &e)
		r.mu.Lock()
		r.stdout.Write(append(lines.Bytes(), '\n'))
		if err == nil {
			r.events = append(r.events, e)
		}
		close(r.news)
		r.news = make(chan struct{})
		r.mu.Unlock()
	}
}

func (r *running) result() ended {
	r.mu.Lock()
	defer r.mu.Unlock()
	return ended{
		t: r.t, command: r.command, Stdout: r.stdout.String(), Stderr: r.stderr.String(),
		Code: r.cmd.ProcessState.ExitCode(), Took: time.Since(r.start),
	}
}

// so far are the events until now, with a channel that closes at the next.
func (r *running) soFar() ([]event.Event, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events), r.news
}

// wait is for the end.
func (r *running) wait() ended {
	r.t.Helper()
	return r.waitFor(upPatience)
}

func (r *running) waitFor(patience time.Duration) ended {
	r.t.Helper()
	select {
	case <-r.ended:
		return r.result()
	case <-time.After(patience):
		r.t.Fatalf("%s goes on for more than %s", r.command, patience)
		return ended{}
	}
}

// until waits for an event and reports false if the command ended without one.
func (r *running) until(what string, match func(event.Event) bool) (event.Event, bool) {
	r.t.Helper()
	deadline := time.After(upPatience)
	for {
		events, news := r.soFar()
		if i := slices.IndexFunc(events, match); i >= 0 {
			return events[i], true
		}
		select {
		case <-news:
		case <-r.ended:
			events, _ := r.soFar()
			if i := slices.IndexFunc(events, match); i >= 0 {
				return events[i], true
			}
			return event.Event{}, false
		case <-deadline:
			r.t.Fatalf("%s: no %s for %s", r.command, what, upPatience)
		}
	}
}

// phase waits until a phase has begun to work; false if it had nothing to do.
func (r *running) phase(name string) bool {
	r.t.Helper()
	e, ok := r.until("phase "+name, func(e event.Event) bool {
		return e.Phase == name && (e.Kind == event.PhaseStarted || e.Kind == event.PhaseSkipped)
	})
	return ok && e.Kind == event.PhaseStarted
}

// task waits until a task with that in its name has begun in a phase.
func (r *running) task(phase, name string) {
	r.t.Helper()
	if _, ok := r.until("task "+name, func(e event.Event) bool {
		return e.Phase == phase && e.Kind == event.TaskStarted && strings.Contains(e.Task, name)
	}); !ok {
		r.t.Fatalf("%s ended without the task %q of %s\n%s", r.command, name, phase, tail(r.result().Stdout))
	}
}

// kill ends wcctl alone, as the kernel does when memory is short, and checks that its children end too.
func (r *running) kill() {
	r.t.Helper()
	children := descendants(r.t, r.cmd.Process.Pid)
	_ = r.cmd.Process.Kill() // it may have ended just now
	r.waitFor(time.Minute)
	var logins []process
	for _, c := range children {
		// A login with a command in it lasts as long as that command, which nobody can call back.
		if strings.HasPrefix(c.command, "ssh ") {
			logins = append(logins, c)
		}
	}
	r.lab.logins = append(r.lab.logins, logins...)
	eventually(r.t, 20*time.Second, func() error {
		return goOn(slices.DeleteFunc(slices.Clone(children), func(c process) bool {
			return c.isMachine() || slices.Contains(logins, c)
		}))
	})
}

// goOn names one of the processes that has not ended.
func goOn(processes []process) error {
	for _, p := range processes {
		if p.alive() {
			return fmt.Errorf("process %d goes on after its wcctl was killed: %s", p.pid, p.command)
		}
	}
	return nil
}

// worked are the phases that had something to do, in order.
func (e ended) worked() []string {
	var phases []string
	for _, e := range e.events() {
		if e.Kind == event.PhaseStarted {
			phases = append(phases, e.Phase)
		}
	}
	return phases
}

func (e ended) events() []event.Event {
	var events []event.Event
	for line := range strings.Lines(e.Stdout) {
		var one event.Event
		if json.Unmarshal([]byte(line), &one) == nil {
			events = append(events, one)
		}
	}
	return events
}

// failure is the event that says why a run failed.
func (e ended) failure() event.Event {
	e.t.Helper()
	for _, one := range slices.Backward(e.events()) {
		if one.Kind == event.PhaseFailed {
			return one
		}
	}
	e.t.Fatalf("%s: no phase failed\n%s%s", e.command, tail(e.Stdout), tail(e.Stderr))
	return event.Event{}
}

// finished is when a phase ended.
func (e ended) finished(phase string) time.Time {
	e.t.Helper()
	for _, one := range e.events() {
		if one.Kind == event.PhaseFinished && one.Phase == phase {
			return one.Time
		}
	}
	e.t.Fatalf("%s: the phase %s did not finish", e.command, phase)
	return time.Time{}
}

// seconds are how long each phase took.
func (e ended) seconds() string {
	var parts []string
	for _, one := range e.events() {
		if one.Kind == event.PhaseFinished {
			parts = append(parts, fmt.Sprintf("%s %.1f s", one.Phase, one.Seconds))
		}
	}
	return strings.Join(parts, ", ")
}
