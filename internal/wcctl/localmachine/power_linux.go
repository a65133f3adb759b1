package localmachine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	haltLimit = 60 * time.Second
	cutLimit  = 20 * time.Second
)

// Stop halts a machine and cuts its power when it is not off after a minute; cut tells so. One that is
// off stays off.
func (l *Lab) Stop(ctx context.Context, name string) (cut bool, err error) {
	m, unlock, err := l.hold(name)
	if err != nil {
		return false, err
	}
	defer unlock()
	if m.State == Off {
		return false, nil
	}
	if m.PID != 0 {
		if err := signalChild(m, haltSignal); err != nil {
			return false, err
		}
		err := await(haltLimit, func() (bool, error) {
			pid, err := l.supervisorOf(name)
			return pid == 0, errors.Join(err, ctx.Err())
		})
		if !errors.Is(err, errTooLong) {
			return false, err
		}
	}
	return true, l.cut(m.Spec)
}

// PowerCut ends a machine as a pulled plug does: no process of it sees it come.
func (l *Lab) PowerCut(name string) error {
	m, unlock, err := l.hold(name)
	if err != nil {
		return err
	}
	defer unlock()
	return l.cut(m.Spec)
}

// Reboot asks the machine to start anew and returns when it does.
func (l *Lab) Reboot(ctx context.Context, name string) (Machine, error) {
	m, unlock, err := l.hold(name)
	if err != nil {
		return m, err
	}
	defer unlock()
	if m.PID == 0 {
		return m, fmt.Errorf("%s: %w", name, ErrOff)
	}
	if err := signalChild(m, rebootSignal); err != nil {
		return m, err
	}
	boots := m.Boots
	err = await(haltLimit, func() (bool, error) {
		if m, err = l.look(m.Spec); err != nil {
			return false, err
		}
		return m.Boots > boots && m.State == Running || m.State == Off, ctx.Err()
	})
	if err == nil && m.State == Off {
		err = ErrOff
	}
	if err != nil {
		return m, fmt.Errorf("rebooting %s: %w", name, err)
	}
	return m, nil
}

// hold looks at a machine that nobody else starts or stops until unlock.
func (l *Lab) hold(name string) (m Machine, unlock func(), err error) {
	if err := needRoot(); err != nil {
		return m, nil, err
	}
	if _, err := l.spec(name); err != nil {
		return m, nil, err
	}
	lock, err := lockFolder(l.path(name))
	if err != nil {
		return m, nil, err
	}
	unlock = func() { _ = lock.Close() }
	m, err = l.Find(name) // it may have been deleted meanwhile
	if err != nil {
		_ = removeIfEmpty(l.path(name))
		unlock()
	}
	return m, unlock, err
}

// cut kills the supervisor, with which the machine dies, and returns when nothing of it runs. A mark
// tells of a cut that was killed itself: the machine may look alive for a moment.
func (l *Lab) cut(s Spec) error {
	mark := l.path(s.Name, cutName)
	if err := os.WriteFile(mark, nil, 0o600); err != nil {
		return fmt.Errorf("marking the power cut of %s: %w", s.Name, err)
	}
	if err := l.kill(s); err != nil {
		return err
	}
	return removeFile(mark)
}

func (l *Lab) kill(s Spec) error {
	pid, err := l.supervisorOf(s.Name)
	if err != nil {
		return err
	}
	if pid != 0 {
		if err := l.killSupervisor(s.Name, pid); err != nil {
			return err
		}
	}
	record, err := readRun(l.path(s.Name, runName))
	if err != nil {
		return err
	}
	if err := await(cutLimit, func() (bool, error) { return !isMachine(record.PID, s), nil }); err != nil {
		return fmt.Errorf("cutting the power of %s: %w", s.Name, err)
	}
	return awaitDetached(l.path(s.Name, diskName))
}

func (l *Lab) killSupervisor(name string, pid int) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("finding the supervisor of %s: %w", name, err)
	}
	defer func() { _ = process.Release() }()
	// The handle is of this very process, if it still keeps the machine.
	if now, err := l.supervisorOf(name); err != nil || now != pid {
		return err
	}
	if err := process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing the supervisor of %s: %w", name, err)
	}
	err = await(cutLimit, func() (bool, error) {
		now, err := l.supervisorOf(name)
		return now != pid, err
	})
	if err != nil {
		return fmt.Errorf("killing the supervisor of %s: %w", name, err)
	}
	return nil
}

// signalChild signals the machine's systemd, and no other process that got its number.
func signalChild(m Machine, signal syscall.Signal) error {
	fd, err := unix.PidfdOpen(m.PID, 0)
	if err == nil {
		defer unix.Close(fd)
		if parentOf(m.PID) != m.Supervisor {
			return fmt.Errorf("%s: %w", m.Name, ErrOff)
		}
		err = unix.PidfdSendSignal(fd, signal, nil, 0)
	}
	if err != nil {
		return fmt.Errorf("signaling %s: %w", m.Name, err)
	}
	return nil
}

// isMachine tells whether the process is still in the machine's network, as none outside of it is.
func isMachine(pid int, s Spec) bool {
	if pid == 0 {
		return false
	}
	var own, process unix.Stat_t
	return unix.Stat(namespaceDir+"/"+s.namespace(), &own) == nil &&
		unix.Stat(fmt.Sprintf("/proc/%d/ns/net", pid), &process) == nil &&
		own.Dev == process.Dev && own.Ino == process.Ino
}
