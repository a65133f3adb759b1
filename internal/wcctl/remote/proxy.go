package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const proxyGrace = 2 * time.Second

// proxyConn is a connection over the standard streams of a command, OpenSSH's ProxyCommand.
type proxyConn struct {
	command string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     io.ReadCloser
	stderr  *tail
	once    sync.Once
	ended   chan struct{}
	err     error
}

func startProxy(o Options) (*proxyConn, error) {
	command := expandProxy(o.Machine.SSH)
	// It must outlive the attempt's context: Close ends it.
	cmd := exec.Command("/bin/sh", "-c", "exec "+command) //nolint:noctx // see above
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &proxyConn{command: command, cmd: cmd, stderr: &tail{}, ended: make(chan struct{})}
	cmd.Stderr = p.stderr
	var err, outErr error
	p.in, err = cmd.StdinPipe()
	p.out, outErr = cmd.StdoutPipe()
	if err = errors.Join(err, outErr); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, newError(o, Proxy, fmt.Errorf("starting the proxy command %q: %w", command, err))
	}
	return p, nil
}

// expandProxy fills in OpenSSH's %h, %p, %r and %%.
func expandProxy(s fleet.SSH) string {
	return strings.NewReplacer(
		"%%", "%", "%h", s.Host, "%p", strconv.Itoa(s.Port), "%r", s.User,
	).Replace(s.ProxyCommand)
}

func (p *proxyConn) Read(b []byte) (int, error)  { return p.out.Read(b) }
func (p *proxyConn) Write(b []byte) (int, error) { return p.in.Write(b) }

// Close ends the command and all that it started.
func (p *proxyConn) Close() error {
	p.once.Do(func() {
		_ = p.in.Close()
		_ = p.out.Close()
		group := -p.cmd.Process.Pid
		timer := time.AfterFunc(proxyGrace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		_ = syscall.Kill(group, syscall.SIGTERM)
		p.err = p.cmd.Wait()
		timer.Stop()
		close(p.ended)
	})
	return nil
}

// fault is how the command ended, with its own last words.
func (p *proxyConn) fault(o Options) *Error {
	_ = p.Close()
	<-p.ended
	text := strings.TrimSpace(p.stderr.String())
	kind := Proxy
	var exit *exec.ExitError
	if missing := errors.As(p.err, &exit) && exit.ExitCode() == commandNotFound; missing ||
		hopeless.MatchString(text) {
		kind = ProxyBroken
	}
	if text == "" && p.err != nil {
		text = p.err.Error()
	}
	return newError(o, kind, fmt.Errorf("the proxy command %q ended: %s", p.command, text))
}

// commandNotFound is the shell's exit code for a program that is not there.
const commandNotFound = 127

// hopeless are the words of proxy commands, the AWS one mostly, that no waiting heals.
var hopeless = regexp.MustCompile(`(?i)not found: |is not found|command not found|credentials|` +
	`expired ?token|token .*expired|access ?denied|unauthorized|not authorized|permission denied`)

type proxyAddr string

func (proxyAddr) Network() string  { return "proxy" }
func (a proxyAddr) String() string { return string(a) }

// LocalAddr implements net.Conn.
func (p *proxyConn) LocalAddr() net.Addr { return proxyAddr("local") }

// RemoteAddr implements net.Conn.
func (p *proxyConn) RemoteAddr() net.Addr { return proxyAddr(p.command) }

// SetDeadline implements net.Conn; bounds are kept by closing the connection.
func (p *proxyConn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn.
func (p *proxyConn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn.
func (p *proxyConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
