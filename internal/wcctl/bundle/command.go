package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	// keptLines is how much of a failed program's output its error shows.
	keptLines = 20
	// graceTime is what an interrupted program has to end by itself.
	graceTime = 5 * time.Second
)

// command is a program to run in a folder; its environment is added to ours.
type command struct {
	dir  string
	env  []string
	args []string
}

// run returns what the program wrote to standard output.
func (c command) run(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	err := c.stream(ctx, &out)
	return out.Bytes(), err
}

// stream writes the program's standard output to w. An interrupt reaches its children too.
func (c command) stream(ctx context.Context, w io.Writer) error {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Dir, cmd.Env = c.dir, append(cmd.Environ(), c.env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = graceTime
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		if cmd.Process != nil {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what outlived the interrupt
		}
		return ctx.Err()
	}
	if err == nil {
		return nil
	}
	return &CommandError{Args: c.args, Output: lastLines(stderr.String(), keptLines), Err: err}
}

// CommandError is a program that failed.
type CommandError struct {
	Args []string
	// Output is the last lines that the program wrote to standard error.
	Output string
	Err    error
}

// Error implements error.
func (e *CommandError) Error() string {
	text := fmt.Sprintf("running %s: %v", strings.Join(e.Args, " "), e.Err)
	if e.Output != "" {
		text += "\n" + e.Output
	}
	return text
}

// Unwrap returns the cause.
func (e *CommandError) Unwrap() error { return e.Err }

// Missing names the program that is not installed here, if that is the cause.
func (e *CommandError) Missing() (string, bool) {
	return e.Args[0], errors.Is(e.Err, exec.ErrNotFound)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
