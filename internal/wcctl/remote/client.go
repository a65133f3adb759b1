// Package remote logs in to machines over SSH, pins their host keys and runs commands as root.
package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// Options say how to reach a machine.
type Options struct {
	Machine fleet.Machine
	// KeyFile is a private key; where it is empty, OpenSSH's default files are used.
	KeyFile string
	// KnownHosts is the file that holds the pinned host keys; it is made at the first contact.
	KnownHosts string
	// Bastion is the host to go through; its host key is pinned like any other.
	Bastion *spec.Bastion
	// Agent is the agent's socket: SSH_AUTH_SOCK where it is empty, and no agent if it is "none".
	Agent string
	// Wait is how long to go on with a machine that does not answer, because it may be starting.
	Wait time.Duration
	// Timeout bounds one attempt; 10 s where it is 0.
	Timeout time.Duration
	// KeepAlive is the pause between questions to an idle machine; 10 s where it is 0. A machine
	// that leaves three of them unanswered is given up.
	KeepAlive time.Duration
}

const (
	defaultTimeout   = 10 * time.Second
	defaultKeepAlive = 10 * time.Second
	keepAliveMisses  = 3
)

// Client is one login. It is safe for concurrent use.
type Client struct {
	options Options
	ssh     *ssh.Client
	// under closes what the login goes through: a bastion, a proxy command.
	under []func() error
	// stopping is closed when Dial's context ends, done when the login has ended.
	stopping, done chan struct{}
	once           sync.Once
	// running counts commands.
	running atomic.Int32

	mu   sync.Mutex
	lost error
}

// Dial logs in. The login ends with ctx too. Its errors are *Error.
func Dial(ctx context.Context, o Options) (*Client, error) {
	o = o.withDefaults()
	if o.Machine.SSH.Host == "" {
		// The network library would take it for this computer.
		return nil, newError(o, UnknownHost, errors.New("its address is not known yet"))
	}
	login, err := newAuth(o)
	if err != nil {
		return nil, err
	}
	defer login.close()
	c, err := dialUntil(ctx, o, login)
	if err != nil {
		return nil, err
	}
	go c.watch(ctx, o.KeepAlive)
	go func() { c.end(c.lostError(fmt.Sprintf("the other side ended it (%v)", c.ssh.Wait()))) }()
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.Machine.SSH.Port == 0 {
		o.Machine.SSH.Port = defaultPort
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = defaultKeepAlive
	}
	return o
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// Machine is whom the login is with.
func (c *Client) Machine() fleet.Machine { return c.options.Machine }

// Done is closed when the login has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// Close ends the login and all that runs in it; closing twice is fine.
func (c *Client) Close() error {
	c.end(nil)
	return nil
}

// end closes the login; cause is what its users are told, nil for an orderly end.
func (c *Client) end(cause error) {
	c.once.Do(func() {
		c.mu.Lock()
		c.lost = cause
		c.mu.Unlock()
		_ = c.ssh.Close()
		for _, closeIt := range c.under {
			_ = closeIt()
		}
		close(c.done)
	})
}

// cause is why the login ended, or err where nothing better is known.
func (c *Client) cause(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lost != nil {
		return c.lost
	}
	return err
}

// watch ends the login with ctx, or when the machine went away without a word: a power cut, a cut
// network.
func (c *Client) watch(ctx context.Context, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	answers := make(chan error, 1)
	waiting, misses := false, 0
	for {
		select {
		case <-c.done:
			return
		case <-ctx.Done():
			close(c.stopping)
			c.drain()
			c.end(context.Cause(ctx))
			return
		case err := <-answers:
			waiting, misses = false, 0
			if err != nil {
				c.end(c.lostError(err.Error()))
				return
			}
		case <-ticker.C:
			if !waiting {
				waiting = true
				go func() { answers <- c.ping() }()
				continue
			}
			if misses++; misses >= keepAliveMisses {
				c.end(c.lostError(fmt.Sprintf("no answer for %s", pause*(keepAliveMisses+1))))
				return
			}
		}
	}
}

// drain gives commands the time to be stopped on their machine.
func (c *Client) drain() {
	const pause = 10 * time.Millisecond
	deadline := time.Now().Add(killTimeout + time.Second)
	for c.running.Load() > 0 && time.Now().Before(deadline) {
		select {
		case <-c.done:
			return
		case <-time.After(pause):
		}
	}
}

func (c *Client) ping() error {
	_, _, err := c.ssh.SendRequest("keepalive@openssh.com", true, nil)
	return err
}

func (c *Client) lostError(why string) error {
	return newError(c.options, Lost, fmt.Errorf("the connection was lost: %s", why))
}

// DialContext connects to an address as the machine sees it.
func (c *Client) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := c.ssh.DialContext(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s from %s: %w", address, c.options.Machine.Name, c.cause(err))
	}
	return conn, nil
}

// Listen makes the machine listen on a TCP address of its own; who connects there is accepted here.
func (c *Client) Listen(address string) (net.Listener, error) {
	listener, err := c.ssh.Listen("tcp", address)
	if err == nil {
		return listener, nil
	}
	// A login that the machine still believes in, because its end never arrived, holds the port.
	if freed, freeErr := c.freePort(address); freeErr == nil && freed {
		if listener, err = c.ssh.Listen("tcp", address); err == nil {
			return listener, nil
		}
	}
	return nil, newError(c.options, Forwarding,
		fmt.Errorf("listening on its %s: %w", address, c.cause(err)))
}

var errNoPort = errors.New("an address needs a port")
