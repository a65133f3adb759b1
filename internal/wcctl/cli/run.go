package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Run executes one command line and returns the exit code.
func Run(
	ctx context.Context, args []string, getenv func(string) string,
	stdin io.Reader, stdout, stderr io.Writer,
) int {
	con := &console{getenv: getenv, in: stdin, out: stdout, err: stderr}
	root := newRoot(con)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	var told *Error
	if !con.started && !errors.As(err, &told) {
		err = usageError(cmd.CommandPath(), err)
	}
	return fail(ctx, stderr, err)
}

// Interruptible returns a context that the first SIGINT or SIGTERM cancels; the second one exits
// at once. Stop releases the signals.
func Interruptible(parent context.Context, exit func(code int)) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	go func() {
		for received := 0; ; received++ {
			select {
			case <-done:
				return
			case <-signals:
			}
			if received > 0 {
				exit(exitInterrupted)
			}
			cancel()
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}
