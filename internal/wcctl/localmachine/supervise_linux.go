package localmachine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SuperviseCommand is the hidden command of the process that keeps a machine.
const SuperviseCommand = "run"

// What a supervisor is given: where it tells how the first boot went, and the machine's lock until then.
const (
	readyOutput = 3
	lockInput   = 4
)

// The signals that systemd takes as orders: SIGRTMIN+3 and +5, where C's library begins at 34.
const (
	haltSignal   = syscall.Signal(37)
	rebootSignal = syscall.Signal(39)
)

// runRecord is what a supervisor tells about its machine.
type runRecord struct {
	PID   int       `json:"pid"`
	Boots int       `json:"boots"`
	Since time.Time `json:"since"`
}

// Supervise boots a machine and keeps it until it is powered off: it boots again after a reboot, and
// leads connections from 127.0.0.1 to it. The end of ctx halts the machine; the end of the process is a
// power cut.
func Supervise(ctx context.Context, stateDir, name string, log *slog.Logger) error {
	ready, lock := os.NewFile(readyOutput, "ready"), os.NewFile(lockInput, "lock")
	if ready == nil || lock == nil {
		return errors.New("this command is for wcctl itself")
	}
	unix.CloseOnExec(readyOutput)
	unix.CloseOnExec(lockInput)
	tell := func(fault string) {
		_ = lock.Close()
		_ = json.NewEncoder(ready).Encode(fault) // who started us may have gone
		_ = ready.Close()
	}
	s, err := newSupervisor(stateDir, name, log)
	if err != nil {
		tell(err.Error())
		return err
	}
	if err := s.forward(ctx); err != nil {
		tell(err.Error())
		return err
	}
	runtime.LockOSThread() // the machine dies with the thread that started it
	first := tell
	for {
		how, err := s.runOnce(ctx, func() { first(""); first = func(string) {} })
		if err != nil {
			first(err.Error())
			return err
		}
		log.Info("machine ended", "signal", how.String())
		// A process namespace dies of SIGHUP when it reboots and of SIGINT when it powers off.
		if again := how == syscall.SIGHUP && ctx.Err() == nil; !again {
			return nil
		}
	}
}

type supervisor struct {
	lab    *Lab
	spec   Spec
	groups []hierarchy
	log    *slog.Logger
	// lock is held until the process ends.
	lock *os.File
}

func newSupervisor(stateDir, name string, log *slog.Logger) (*supervisor, error) {
	lab, err := Open(stateDir)
	if err != nil {
		return nil, err
	}
	spec, err := lab.spec(name)
	if err != nil {
		return nil, err
	}
	lock, err := takeSupervision(lab.path(name, supervisorName))
	if err != nil {
		return nil, err
	}
	s := &supervisor{lab: lab, spec: spec, log: log, lock: lock}
	if s.groups, err = hierarchies(); err != nil {
		return nil, err
	}
	return s, nil
}

// runOnce boots the machine and returns the signal that its first process died of.
func (s *supervisor) runOnce(ctx context.Context, booted func()) (syscall.Signal, error) {
	if err := awaitDetached(s.lab.path(s.spec.Name, diskName)); err != nil {
		return 0, err
	}
	// A computer begins without any: kubelet takes 3 s for each that a power cut left of a container,
	// and its node is not ready before.
	if err := removeGroups(s.spec.namespace()); err != nil {
		return 0, err
	}
	if err := ensureGroups(s.groups, s.spec.namespace()); err != nil {
		return 0, err
	}
	console, err := os.OpenFile(s.lab.ConsolePath(s.spec.Name),
		os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("opening the console: %w", err)
	}
	defer console.Close()
	terminal, err := openTerminal()
	if err != nil {
		return 0, err
	}
	record, err := s.nextBoot()
	if err != nil {
		return 0, err
	}
	fmt.Fprintf(console, "\n=== boot %d of %s at %s\n", record.Boots, s.spec.Name,
		record.Since.Format(time.RFC3339))
	machine, err := startInit(bootOrder{
		Spec: s.spec, Dir: s.lab.path(s.spec.Name), Groups: s.groups,
	}, terminal)
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		terminal.copyTo(console)
	}()
	defer func() {
		_ = terminal.machines.Close()
		<-printed // the last words are in the file before it is closed
	}()
	if err != nil {
		return 0, fmt.Errorf("booting %s: %w", s.spec.Name, err)
	}
	s.log.Info("machine booted", "pid", machine.Process.Pid, "boot", record.Boots)
	record.PID = machine.Process.Pid
	if err := writeJSON(s.lab.path(s.spec.Name, runName), record); err != nil {
		return 0, errors.Join(err, machine.Process.Kill())
	}
	booted()
	return awaitInit(ctx, machine), nil
}

// nextBoot counts the boot before it happens.
func (s *supervisor) nextBoot() (runRecord, error) {
	path := s.lab.path(s.spec.Name, runName)
	record, err := readRun(path)
	if err != nil {
		return record, err
	}
	record = runRecord{Boots: record.Boots + 1, Since: time.Now().UTC()}
	return record, writeJSON(path, record)
}

func readRun(path string) (runRecord, error) {
	var record runRecord
	err := readJSON(path, &record)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return record, err
}

// awaitInit waits for the machine's end, and halts it when ctx ends.
func awaitInit(ctx context.Context, machine *exec.Cmd) syscall.Signal {
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
			_ = machine.Process.Signal(haltSignal) // it may have ended
		case <-ended:
		}
	}()
	_ = machine.Wait() // the status says more
	status, ok := machine.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return 0
	}
	return status.Signal()
}

// takeSupervision marks this process as the machine's supervisor for as long as it lives. The file must
// not be opened again in this process: closing it would end the mark.
func takeSupervision(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the supervisor's lock: %w", err)
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_SETLK, &lock); err != nil {
		return nil, errors.Join(fmt.Errorf("another process keeps the machine: %w", err), file.Close())
	}
	return file, nil
}

// supervisorOf is the process that keeps the machine, 0 when it is off.
func (l *Lab) supervisorOf(name string) (int, error) {
	file, err := os.OpenFile(l.path(name, supervisorName), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening the supervisor's lock: %w", err)
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK}
	if err := unix.FcntlFlock(file.Fd(), unix.F_GETLK, &lock); err != nil {
		return 0, fmt.Errorf("asking for the machine's supervisor: %w", err)
	}
	if lock.Type == unix.F_UNLCK {
		return 0, nil
	}
	return int(lock.Pid), nil
}

// look tells how a machine is.
func (l *Lab) look(s Spec) (Machine, error) {
	m := Machine{Spec: s, State: Off}
	record, err := readRun(l.path(s.Name, runName))
	if err != nil {
		return m, err
	}
	m.Boots, m.Since = record.Boots, record.Since
	if m.Supervisor, err = l.supervisorOf(s.Name); err != nil || m.Supervisor == 0 {
		return m, err
	}
	m.State = Booting
	if record.PID != 0 && parentOf(record.PID) == m.Supervisor {
		m.State, m.PID = Running, record.PID
		m.Faults = faults(m)
	}
	return m, nil
}

// parentOf returns 0 for a process that is not there.
func parentOf(pid int) int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	return parentIn(string(data))
}
