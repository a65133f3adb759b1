package remote

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Kind says what is wrong with a login.
type Kind string

// The kinds.
const (
	UnknownHost Kind = "unknown_host"
	Refused     Kind = "refused"
	Timeout     Kind = "timeout"
	Unreachable Kind = "unreachable"
	// HungUp is a server that ends the connection before SSH has begun.
	HungUp         Kind = "hung_up"
	NotSSH         Kind = "not_ssh"
	Auth           Kind = "auth"
	HostKeyChanged Kind = "host_key_changed"
	KnownHosts     Kind = "known_hosts"
	KeyMissing     Kind = "key_missing"
	KeyTooOpen     Kind = "key_too_open"
	KeyInvalid     Kind = "key_invalid"
	KeyPassphrase  Kind = "key_passphrase"
	// Proxy is a proxy command that ended, as one to a machine that has not registered yet does.
	Proxy Kind = "proxy"
	// ProxyBroken is one that cannot work without somebody's help: not installed, not allowed.
	ProxyBroken Kind = "proxy_broken"
	Algorithms  Kind = "algorithms"
	Forwarding  Kind = "forwarding"
	Sudo        Kind = "sudo"
	// Lost is a login that ended under a command.
	Lost Kind = "lost"
)

// Error is a login that failed or ended.
type Error struct {
	Kind Kind
	// Host is the machine's name, or the bastion's address.
	Host  string
	Cause error
	// Hint is a command to paste, or a short list of them, one per line.
	Hint string
}

// Error implements error.
func (e *Error) Error() string { return e.Host + ": " + e.Cause.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Temporary tells that the same may work later without anybody's help, as while a machine starts.
func (e *Error) Temporary() bool {
	switch e.Kind {
	case Refused, Timeout, Unreachable, HungUp, Proxy, Lost:
		return true
	default:
		return false
	}
}

// newError is an error about o's machine with the hint that its kind always has.
func newError(o Options, kind Kind, cause error) *Error {
	e := &Error{Kind: kind, Host: o.Machine.Name, Cause: cause}
	switch kind {
	case UnknownHost:
		e.Hint = "wcctl up"
		if o.Machine.SSH.Host != "" {
			e.Hint = "getent hosts " + o.Machine.SSH.Host
		}
	case Refused, Timeout, Unreachable, HungUp, NotSSH, Auth, Proxy, ProxyBroken, Algorithms, Lost:
		e.Hint = o.SSHCommand("-v") + " true"
	case Forwarding:
		e.Hint = o.SSHCommand() + " 'sudo sshd -T | grep -i allowtcpforwarding'"
	case Sudo:
		e.Hint = o.SSHCommand() + " sudo -n true"
	default:
	}
	return e
}

// connectError names what stopped the way to the machine's SSH port.
func connectError(o Options, address string, err error) *Error {
	kind, text := Unreachable, "cannot be reached"
	var dns *net.DNSError
	var open *ssh.OpenChannelError
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		kind, text = UnknownHost, "no such host name"
	case errors.Is(err, syscall.ECONNREFUSED),
		errors.As(err, &open) && strings.Contains(open.Message, "refused"):
		kind, text = Refused, "connection refused, so nothing listens there"
	case errors.As(err, &open) && strings.Contains(open.Message, "not known"):
		kind, text = UnknownHost, "the bastion knows no such host name"
	case errors.As(err, &timeout) && timeout.Timeout():
		kind, text = Timeout, "no answer in time: is it on, and does a firewall let us through"
	}
	return newError(o, kind, fmt.Errorf("%s: %s (%w)", address, text, err))
}

// handshakeError names what went wrong after the connection was there.
func handshakeError(o Options, address string, err error, tried *auth) *Error {
	var own *Error
	var algorithms *ssh.AlgorithmNegotiationError
	switch {
	case errors.As(err, &own):
		return own
	case strings.Contains(err.Error(), "unable to authenticate"):
		return authError(o, address, tried)
	case errors.As(err, &algorithms):
		return newError(o, Algorithms, fmt.Errorf("%s: too old or too strict a server: %w", address, err))
	case errors.Is(err, errHandshakeTimeout):
		return newError(o, Timeout, fmt.Errorf("%s: connected, but %w", address, err))
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.EPIPE), errors.Is(err, io.ErrUnexpectedEOF):
		return newError(o, HungUp, fmt.Errorf("%s: hangs up before SSH has begun (%w)", address, err))
	default:
		return newError(o, NotSSH, fmt.Errorf("%s: not an SSH server we understand (%w)", address, err))
	}
}

func authError(o Options, address string, tried *auth) *Error {
	e := newError(o, Auth, fmt.Errorf("%s: login as %q denied; tried %s",
		address, o.Machine.SSH.User, tried.report()))
	if tried.keyFile != "" {
		o.KeyFile, o.KnownHosts = "", ""
		_, way, _ := strings.Cut(o.SSHCommand(), " ")
		e.Hint = "ssh-copy-id -i " + quote(tried.keyFile) + ".pub " + way
	}
	return e
}
