package ansible

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// lastWords is how long the pipe of events may take to run dry after ansible-playbook ended.
const lastWords = time.Second

// run plays and returns when nothing of it is left: not even after the grace of an interrupt.
func (r *Runner) run(ctx context.Context, p Play, s *stream) error {
	events, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe for events: %w", err)
	}
	defer events.Close()
	out := &tail{log: r.options.Log}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.program, r.arguments(p)...)
	cmd.Dir, cmd.Env = r.options.Dir, r.environment()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = ownGroup()
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = r.options.Grace

	// A version that is too old is no reason to wait for its end.
	s.stop = cancel
	read := make(chan struct{})
	started := make(chan error, 1)
	ended := make(chan error, 1)
	go func() {
		// The kernel ends a child with the thread that started it, so the thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	err = <-started
	_ = theirs.Close()
	if err != nil {
		return &ProgramError{Cause: fmt.Errorf("starting %s: %w", r.program, err)}
	}
	go func() {
		defer close(read)
		s.read(events)
	}()
	err = <-ended
	killGroup(cmd.Process)
	_ = events.SetReadDeadline(time.Now().Add(lastWords))
	<-read
	s.output = out.lines()
	return err
}

// unexplained words an end that no event explains.
func (r *Runner) unexplained(ctx context.Context, phase string, s *stream, err error) error {
	var program *ProgramError
	if errors.As(err, &program) {
		return err
	}
	if !s.seen {
		if _, versionErr := r.Version(ctx); versionErr != nil {
			return versionErr
		}
	}
	message := "ansible-playbook told nothing of what it did"
	if err != nil {
		message = fmt.Sprintf("ansible-playbook: %v", err)
	}
	for _, text := range s.output {
		if cause, ok := strings.CutPrefix(text, "ERROR! "); ok {
			message = "ansible-playbook: " + cause
		}
	}
	return &TaskError{Phase: phase, Message: message, Output: s.output}
}

const tailLines = 20

// tail copies what is printed to the log and keeps its end.
type tail struct {
	log  io.Writer
	kept bytes.Buffer
}

const tailBytes = 64 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.kept.Write(p)
	if over := t.kept.Len() - tailBytes; over > 0 {
		t.kept.Next(over)
	}
	return t.log.Write(p)
}

func (t *tail) lines() []string {
	text := strings.TrimSpace(t.kept.String())
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-tailLines):]
}
