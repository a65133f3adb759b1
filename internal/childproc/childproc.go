// Package childproc runs server programs as children that never outlive this process.
package childproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// reapDelay bounds the wait for a process that was sent SIGKILL.
const reapDelay = 10 * time.Second

// ErrStillRunning is returned when a process ignored every signal of Stop.
var ErrStillRunning = errors.New("process still running")

// Config says what to run and as whom.
type Config struct {
	// Path is the program; Args are its arguments without the program's name.
	Path string
	Args []string
	// Env is the whole environment of the child; nothing is inherited.
	Env []string
	// Dir is the working directory; it must be readable by the child.
	Dir string
	// Stdin is given to the child, which then sees the end of its input.
	Stdin string
	// LogPath is the file that takes stdout and stderr; it is appended to.
	LogPath string
	// User is who runs the child; nil is the user of this process.
	User *User
	// DeathSignal is sent to the child by the kernel (Linux) when this process dies.
	DeathSignal syscall.Signal
}

// User is an account by number.
type User struct {
	Name string
	UID  uint32
	GID  uint32
}

// Process is a started child.
type Process struct {
	cfg     Config
	cmd     *exec.Cmd
	logFrom int64
	done    chan struct{}

	mu       sync.Mutex
	expected bool
	waitErr  error
}

// Start runs the program and returns once it was executed.
func Start(cfg Config) (*Process, error) {
	logFile, logFrom, err := openLog(cfg.LogPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logFile.Close() }()

	// The signals of a child's life are ours to send, not those of a request's context.
	cmd := exec.CommandContext(context.Background(), cfg.Path, cfg.Args...)
	cmd.Env, cmd.Dir = cfg.Env, cfg.Dir
	cmd.Stdout, cmd.Stderr = logFile, logFile
	if cfg.Stdin != "" {
		cmd.Stdin = strings.NewReader(cfg.Stdin)
	}
	cmd.SysProcAttr = sysProcAttr(cfg)

	p := &Process{cfg: cfg, cmd: cmd, logFrom: logFrom, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.live(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", cfg.Path, err)
	}
	return p, nil
}

// Run runs the program to its end; the error carries the last lines of its log.
func Run(ctx context.Context, cfg Config) error {
	p, err := Start(cfg)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.Stop(context.WithoutCancel(ctx), syscall.SIGKILL))
	}
	return p.Err()
}

// live starts the child and waits for it on one thread: the kernel ties the death signal to
// the thread that forked, not to the process (golang/go#27505).
func (p *Process) live(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	err := p.cmd.Wait()
	p.mu.Lock()
	p.waitErr = err
	p.mu.Unlock()
	close(p.done)
}

// PID is the child's process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the child has ended and was reaped.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err tells, after Done, why the child ended: nil after exit code 0 or a Stop, else an *Error.
func (p *Process) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.expected || p.waitErr == nil {
		return nil
	}
	return &Error{Program: p.cfg.Path, Cause: p.waitErr, LogPath: p.cfg.LogPath, Tail: p.LogTail()}
}

// LogTail returns the last 20 lines that this child wrote, not those of its predecessors.
func (p *Process) LogTail() string { return tail(p.cfg.LogPath, p.logFrom) }

// Ended tells whether the child is gone.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Stop sends the signal and waits for the end until ctx ends. It is safe to call twice.
func (p *Process) Stop(ctx context.Context, sig syscall.Signal) error {
	p.mu.Lock()
	p.expected = true
	p.mu.Unlock()
	if p.Ended() {
		return nil
	}
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to process %d: %w", sig, p.PID(), err)
	}
	if sig == syscall.SIGKILL {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), reapDelay)
		defer cancel()
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("process %d after %s: %w", p.PID(), sig, ErrStillRunning)
	}
}
