// Package proc runs programs whose failures and interrupts a user shall understand.
package proc

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

// Command is a program to run in a folder; its environment is added to ours.
type Command struct {
	Dir  string
	Env  []string
	Args []string
}

// Run returns what the program wrote to standard output.
func (c Command) Run(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	err := c.Stream(ctx, &out)
	return out.Bytes(), err
}

// Stream writes the program's standard output to w. An interrupt reaches its children too.
func (c Command) Stream(ctx context.Context, w io.Writer) error {
	cmd := exec.CommandContext(ctx, c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, append(cmd.Environ(), c.Env...)
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
	return &Error{Args: c.Args, Output: lastLines(stderr.String(), keptLines), Err: err}
}

// Error is a program that failed.
type Error struct {
	Args []string
	// Output is the last lines that the program wrote to standard error.
	Output string
	Err    error
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("running %s: %v", strings.Join(e.Args, " "), e.Err)
	if e.Output != "" {
		text += "\n" + e.Output
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Missing names the program that is not installed here, if that is the cause.
func (e *Error) Missing() (string, bool) {
	return e.Args[0], errors.Is(e.Err, exec.ErrNotFound)
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
