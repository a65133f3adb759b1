package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

const (
	detachedEnv = "WCCTL_DEV_DETACHED"
	detachPoll  = 50 * time.Millisecond
)

// runDetached starts this program again in a session of its own and waits until it is ready.
func runDetached(ctx context.Context, con *console, opts devOptions) error {
	data := opts.stack.Data
	if owner, runs, err := dev.FindOwner(data); err != nil {
		return err
	} else if runs {
		return devError(con, &dev.RunningError{Data: data, Owner: owner}, data)
	}
	if err := data.Make(); err != nil {
		return devError(con, err, data)
	}
	out, err := os.OpenFile(data.DetachedPath(),
		os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the output of the detached stack: %w", err)
	}
	defer out.Close()
	began := time.Now()
	child, err := startDetached(out, os.Args[1:])
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = child.Wait() // what it printed says why
		close(ended)
	}()
	info, err := awaitDetached(ctx, con, data, child.Process.Pid, ended)
	if err != nil {
		return err
	}
	showSummary(con, info, time.Since(began))
	return nil
}

func startDetached(out *os.File, args []string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool {
		return arg == "--detach" || arg == "-d" || strings.HasPrefix(arg, "--detach=")
	})
	// It must outlive us and our context.
	child := exec.CommandContext(context.Background(), program, append(args, "--yes")...)
	child.Env = append(os.Environ(), detachedEnv+"=1")
	child.Stdout, child.Stderr = out, out
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := child.Start(); err != nil {
		return nil, fmt.Errorf("starting the detached stack: %w", err)
	}
	return child, nil
}

// awaitDetached shows what the child prints until it is ready or has ended.
func awaitDetached(
	ctx context.Context, con *console, data dev.Folder, pid int, ended <-chan struct{},
) (dev.Info, error) {
	out, err := os.Open(data.DetachedPath())
	if err != nil {
		return dev.Info{}, fmt.Errorf("reading the output of the detached stack: %w", err)
	}
	defer out.Close()
	for {
		select {
		case <-ended:
			_, _ = io.Copy(con.err, out) // its own last words are the error
			return dev.Info{}, errors.New("the stack did not start")
		case <-ctx.Done():
			return dev.Info{}, abandon(pid, ended)
		case <-time.After(detachPoll):
		}
		info, err := dev.Find(data)
		_, _ = io.Copy(con.err, out) // what was printed before it was ready is in there by now
		if err == nil && info.PID == pid {
			return info, nil
		}
	}
}

// abandon stops a stack that was interrupted while it started.
func abandon(pid int, ended <-chan struct{}) error {
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping process %d: %w", pid, err)
	}
	<-ended
	return context.Canceled
}
