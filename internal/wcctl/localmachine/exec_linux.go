package localmachine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"
)

// Exec runs a command in a machine, or this computer's command in a network of the lab, and returns
// what exec.Cmd.Run does.
func (l *Lab) Exec(ctx context.Context, name string, o ExecOptions) error {
	if err := needRoot(); err != nil {
		return err
	}
	m, err := l.Find(name)
	if err != nil {
		return err
	}
	run := func() error { return o.run(ctx) }
	switch o.Where {
	case LabNetwork:
		return inNamespace(m.labNamespace(), run)
	case MachineNetwork:
		return inNamespace(m.namespace(), run)
	}
	if m.PID == 0 {
		return fmt.Errorf("%s: %w", name, ErrOff)
	}
	return o.in(ctx, m)
}

// in runs the command in a machine.
func (o ExecOptions) in(ctx context.Context, m Machine) error {
	o.Env = []string{
		"HOME=/root", "LANG=C.UTF-8", "container=wastecoach",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	}
	return inMachine(m, func() error { return o.run(ctx) })
}

func (o ExecOptions) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, o.Command[0], o.Command[1:]...)
	cmd.Env = slices.Clone(o.Env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = o.Stdin, o.Stdout, o.Stderr
	return cmd.Run()
}

// inMachine runs f on a thread that is in all of the machine's namespaces; what it starts is a process
// of the machine.
func inMachine(m Machine, f func() error) error {
	fd, err := unix.PidfdOpen(m.PID, 0)
	if err != nil {
		return fmt.Errorf("finding the first process of %s: %w", m.Name, err)
	}
	defer unix.Close(fd)
	if parentOf(m.PID) != m.Supervisor {
		return fmt.Errorf("%s: %w", m.Name, ErrOff)
	}
	return onLastThread(func() error {
		// A thread that shares its root folder with others cannot change mounts.
		if err := unix.Unshare(unix.CLONE_FS); err != nil {
			return fmt.Errorf("preparing to enter %s: %w", m.Name, err)
		}
		err := unix.Setns(fd, unix.CLONE_NEWNS|unix.CLONE_NEWUTS|unix.CLONE_NEWIPC|unix.CLONE_NEWPID|
			unix.CLONE_NEWNET|unix.CLONE_NEWCGROUP)
		if err != nil {
			return fmt.Errorf("entering %s: %w", m.Name, err)
		}
		return f()
	})
}

// onLastThread runs f on a thread that ends with it. The process's first one never does: it would
// sleep in the machine's mounts and keep its disk busy, so it is held while another one takes f.
func onLastThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() {
			err := onLastThread(f)
			runtime.UnlockOSThread()
			done <- err
			return
		}
		done <- f() // still locked: the thread ends with its goroutine
	}()
	return <-done
}
