package remote

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// OutputLimit bounds what Run keeps of each stream, in bytes; Stream has no bound.
const OutputLimit = 8 << 20

const (
	tailLines = 20
	tailBytes = 8 << 10
)

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	ExitCode       int
	// Truncated tells that a stream was longer than OutputLimit.
	Truncated bool
}

// ExitError is a command that ended with a code other than 0.
type ExitError struct {
	Host string
	// Command is the first line of what ran.
	Command  string
	ExitCode int
	// Stderr is the last lines of what it said.
	Stderr string
}

// Error implements error.
func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: %s: exit code %d", e.Host, e.Command, e.ExitCode)
	if e.Stderr != "" {
		text += ": " + e.Stderr
	}
	return text
}

// Run runs a shell command as root and waits for its end; an exit code other than 0 is no error.
// Where ctx ends first, the command is told to stop and the login remains.
func (c *Client) Run(ctx context.Context, command string, stdin io.Reader) (Result, error) {
	stdout, stderr := &head{limit: OutputLimit}, &head{limit: OutputLimit}
	code, err := c.Stream(ctx, command, stdin, stdout, stderr)
	r := Result{ExitCode: code}
	var cutOut, cutErr bool
	r.Stdout, cutOut = stdout.kept()
	r.Stderr, cutErr = stderr.kept()
	r.Truncated = cutOut || cutErr
	if err == nil {
		err = c.sudoError(r)
	}
	return r, err
}

// Output is Run for a command that must succeed: another exit code than 0 is an *ExitError.
func (c *Client) Output(ctx context.Context, command string, stdin io.Reader) (string, error) {
	r, err := c.Run(ctx, command, stdin)
	if err != nil {
		return r.Stdout, err
	}
	if r.ExitCode != 0 {
		return r.Stdout, &ExitError{
			Host: c.options.Machine.Name, Command: firstLine(command), ExitCode: r.ExitCode,
			Stderr: lastLines(r.Stderr),
		}
	}
	return r.Stdout, nil
}

// Stream is Run with the output as it comes, without a bound.
func (c *Client) Stream(
	ctx context.Context, command string, stdin io.Reader, stdout, stderr io.Writer,
) (int, error) {
	c.running.Add(1)
	defer c.running.Add(-1)
	session, err := c.ssh.NewSession()
	if err != nil {
		return 0, c.ended(err)
	}
	defer session.Close()
	session.Stdout, session.Stderr = stdout, stderr
	in, err := session.StdinPipe()
	if err != nil {
		return 0, c.ended(err)
	}
	mark := rand.Text()
	if err := session.Start(asRoot(c.options.Machine.SSH.User, mark, command)); err != nil {
		return 0, c.ended(err)
	}
	go feed(in, stdin)
	done := make(chan error, 1)
	go func() { done <- session.Wait() }()
	select {
	case err := <-done:
		return c.exitCode(err)
	case <-ctx.Done():
		c.kill(mark, done)
		return 0, fmt.Errorf("%s: %s: %w", c.options.Machine.Name, firstLine(command), context.Cause(ctx))
	case <-c.stopping:
		c.kill(mark, done)
		return 0, fmt.Errorf("%s: %s: %w", c.options.Machine.Name, firstLine(command), context.Canceled)
	case <-c.done:
		return 0, c.ended(io.EOF)
	}
}

// killTimeout bounds the good-bye to a machine that may be gone.
const killTimeout = 5 * time.Second

// kill ends a command and all its children by the mark in their environment: sshd ignores signals
// for root's sessions, and a closed session leaves its command running. It waits for the command's
// end, since what tidies up behind itself would be cut off by a closed standard error.
func (c *Client) kill(mark string, ended <-chan error) {
	go func() {
		session, err := c.ssh.NewSession()
		if err != nil {
			return
		}
		defer session.Close()
		_ = session.Run(asRoot(c.options.Machine.SSH.User, "", "for p in $(grep -ls "+markName+"="+mark+
			" /proc/[0-9]*/environ); do p=${p%/environ}; kill \"${p#/proc/}\"; done 2>/dev/null"))
	}()
	select {
	case <-ended: //nolint:errcheck // how it ended is no news
	case <-c.done:
	case <-time.After(killTimeout):
	}
}

// feed does not hold up Wait: a command may end without reading all that it is given.
func feed(in io.WriteCloser, stdin io.Reader) {
	if stdin != nil {
		_, _ = io.Copy(in, stdin)
	}
	_ = in.Close()
}

func (c *Client) exitCode(err error) (int, error) {
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return 0, nil
	case errors.As(err, &exit):
		return exit.ExitStatus(), nil
	default:
		return 0, c.ended(err)
	}
}

// ended is the error of a login that broke under its user.
func (c *Client) ended(err error) error {
	var own *Error
	cause := c.cause(err)
	if errors.As(cause, &own) || errors.Is(cause, context.Canceled) {
		return cause
	}
	return c.lostError(cause.Error())
}

// sudoError tells a sudo that asked for a password from a command that failed.
func (c *Client) sudoError(r Result) error {
	if r.ExitCode == 0 || c.options.Machine.SSH.User == "root" || r.Stdout != "" {
		return nil
	}
	text := strings.TrimSpace(r.Stderr)
	missing := r.ExitCode == 127 && strings.Contains(text, "sudo")
	if !strings.HasPrefix(text, "sudo: ") && !missing {
		return nil
	}
	return newError(c.options, Sudo, fmt.Errorf(
		"user %q may not become root without a password (%s)", c.options.Machine.SSH.User, text))
}

// markName is the variable that tells a command's processes from all others.
const markName = "WCCTL_RUN"

// asRoot does not lean on the login shell: it may be fish.
func asRoot(user, mark, command string) string {
	command = "env " + markName + "=" + mark + " sh -c " + quote(command)
	if user == "root" {
		return command
	}
	return "sudo -n -H " + command
}

func firstLine(command string) string {
	line, _, more := strings.Cut(strings.TrimSpace(command), "\n")
	if more {
		line += " …"
	}
	return line
}

func lastLines(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}

// head keeps the first bytes and swallows the rest, so that the command is never held up.
type head struct {
	limit int

	mu   sync.Mutex
	data []byte
	cut  bool
}

// Write implements io.Writer.
func (h *head) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	room := min(h.limit-len(h.data), len(b))
	h.data = append(h.data, b[:room]...)
	h.cut = h.cut || room < len(b)
	return len(b), nil
}

// kept is what there is room for, and whether something was left out.
func (h *head) kept() (string, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.data), h.cut
}

// tail keeps the last bytes of what a command says.
type tail struct {
	mu   sync.Mutex
	data []byte
}

// Write implements io.Writer.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, b...)
	if extra := len(t.data) - tailBytes; extra > 0 {
		t.data = t.data[extra:]
	}
	return len(b), nil
}

// String is what is kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}
