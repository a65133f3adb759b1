package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/user"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const retryPause = 500 * time.Millisecond

var errHandshakeTimeout = errors.New("it did not answer as an SSH server in time")

// dialUntil tries again while the machine may just be starting; what will not heal fails at once.
func dialUntil(ctx context.Context, o Options, login *auth) (*Client, error) {
	start := time.Now()
	for attempt := 1; ; attempt++ {
		c, err := dialOnce(ctx, o, login)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("logging in to %s: %w", o.Machine.Name, context.Cause(ctx))
		}
		var e *Error
		if !errors.As(err, &e) {
			return nil, err
		}
		spent := time.Since(start)
		if !e.Temporary() || spent+retryPause >= o.Wait {
			if attempt > 1 {
				e.Cause = fmt.Errorf("%w, %d attempts in %s", e.Cause, attempt, spent.Round(time.Second))
			}
			return nil, e
		}
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

// dialOnce is one attempt, through the bastion or the proxy command if there is one.
func dialOnce(ctx context.Context, o Options, login *auth) (*Client, error) {
	c := &Client{options: o, stopping: make(chan struct{}), done: make(chan struct{})}
	address := hostPort(o.Machine.SSH.Host, o.Machine.SSH.Port)
	conn, err := c.connect(ctx, o, login, address)
	if err == nil {
		c.ssh, err = handshake(ctx, o, login, conn, address)
	}
	if err == nil {
		return c, nil
	}
	for _, closeIt := range c.under {
		_ = closeIt()
	}
	return nil, err
}

func (c *Client) connect(
	ctx context.Context, o Options, login *auth, address string,
) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	switch {
	case o.Machine.SSH.ProxyCommand != "":
		conn, err := startProxy(o)
		if err != nil {
			return nil, err
		}
		c.under = append(c.under, conn.Close)
		return conn, nil
	case o.Bastion != nil:
		return c.throughBastion(ctx, o, login, address)
	}
	conn, err := (&net.Dialer{KeepAlive: o.KeepAlive}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, connectError(o, address, err)
	}
	return conn, nil
}

func (c *Client) throughBastion(
	ctx context.Context, o Options, login *auth, address string,
) (net.Conn, error) {
	hop := o.bastionHop()
	keys, err := login.forBastion(hop)
	if err != nil {
		return nil, err
	}
	bastion, err := dialOnce(ctx, hop, keys)
	if err != nil {
		return nil, err
	}
	c.under = append(c.under, bastion.ssh.Close)
	conn, err := bastion.ssh.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, connectError(o, address+" from the bastion "+o.Bastion.Host, err)
	}
	return conn, nil
}

// bastionHop is the bastion as a machine of its own, with the machine's user and key as defaults.
func (o Options) bastionHop() Options {
	b := *o.Bastion
	hop := o
	hop.Bastion = nil
	hop.Machine = fleet.Machine{
		Name: "bastion " + b.Host,
		SSH:  fleet.SSH{Host: b.Host, Port: b.Port, User: b.User},
	}
	if b.User == "" {
		hop.Machine.SSH.User = o.Machine.SSH.User
	}
	if b.KeyFile != "" {
		hop.KeyFile = b.KeyFile
	}
	return hop.withDefaults()
}

// handshake makes a connection an SSH login; it owns conn.
func handshake(
	ctx context.Context, o Options, login *auth, conn net.Conn, address string,
) (*ssh.Client, error) {
	name := o.Machine.SSH.User
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	keys, err := openHostKeys(o)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, o.Timeout, errHandshakeTimeout)
	defer cancel()
	stop := context.AfterFunc(limited, func() { _ = conn.Close() })
	defer stop()
	sshConn, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User:              name,
		Auth:              []ssh.AuthMethod{login.method()},
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.algorithms(address),
	})
	if err != nil {
		_ = conn.Close()
		return nil, handshakeFault(limited, o, login, conn, address, err)
	}
	return ssh.NewClient(sshConn, channels, requests), nil
}

// handshakeFault prefers what we know better than the library: our bound, the proxy's own words.
func handshakeFault(
	ctx context.Context, o Options, login *auth, conn net.Conn, address string, err error,
) error {
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	e := handshakeError(o, address, err, login)
	if proxy, ok := conn.(*proxyConn); ok && e.Kind == HungUp {
		return proxy.fault(o)
	}
	return e
}
