package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// The exit codes that scripts may rely on; `wcctl help exit-codes` explains them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitChanges     = 3
	exitInterrupted = 130
)

// Error is how a command fails. Run prints it once.
type Error struct {
	// Op is what was being done, e.g. "uploading photo.jpg"; it may be empty.
	Op    string
	Cause error
	// Hint is a command to paste, or a short list of them, one per line.
	Hint string
	// Log is the path of the full record; it may be empty.
	Log string
	// ExitCode is exitFailed where it is 0.
	ExitCode int
}

// Error implements error.
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Cause.Error()
	}
	return e.Op + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// usageError is a fault in what the user typed for the command at path.
func usageError(path string, cause error) *Error {
	return &Error{Cause: cause, Hint: path + " --help", ExitCode: exitUsage}
}

func usageErrorf(path, format string, args ...any) *Error {
	return usageError(path, fmt.Errorf(format, args...))
}

// fail prints err and returns its exit code.
func fail(ctx context.Context, stderr io.Writer, err error) int {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{}
	}
	code := e.ExitCode
	switch {
	case code != exitDone:
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		code, err = exitInterrupted, errors.New("interrupted")
	default:
		code = exitFailed
	}
	fmt.Fprintf(stderr, "wcctl: %v\n", err)
	for line := range strings.Lines(e.Hint) {
		fmt.Fprintf(stderr, "  try: %s\n", strings.TrimSpace(line))
	}
	if e.Log != "" {
		fmt.Fprintf(stderr, "  log: %s\n", e.Log)
	}
	return code
}
