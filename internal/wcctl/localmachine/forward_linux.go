package localmachine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

const (
	sshPort     = 22
	apiPort     = 6443
	dialTimeout = 10 * time.Second
)

// forward listens on this computer's loopback for as long as the supervisor lives.
func (s *supervisor) forward(ctx context.Context) error {
	if err := s.lead(ctx, s.spec.SSHPort, sshPort); err != nil {
		return err
	}
	if s.spec.APIPort == 0 {
		return nil
	}
	return s.lead(ctx, s.spec.APIPort, apiPort)
}

func (s *supervisor) lead(ctx context.Context, from, to int) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(from)))
	if err != nil {
		return fmt.Errorf("leading port %d to port %d of %s: %w", from, to, s.spec.Name, err)
	}
	target := netip.AddrPortFrom(s.spec.Address, uint16(to)) //nolint:gosec // a port
	go func() {
		for {
			conn, err := listener.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				s.log.Warn("accepting a connection", "error", err)
				time.Sleep(time.Second) // e.g. out of descriptors
				continue
			}
			go s.serve(conn, target)
		}
	}()
	return nil
}

func (s *supervisor) serve(outside net.Conn, target netip.AddrPort) {
	defer outside.Close()
	var inside net.Conn
	err := inNamespace(s.spec.labNamespace(), func() error {
		var err error
		inside, err = net.DialTimeout("tcp", target.String(), dialTimeout) //nolint:noctx // it has a timeout
		return err
	})
	if err != nil {
		s.log.Debug("machine does not answer", "address", target.String(), "error", err)
		return
	}
	defer inside.Close()
	var both sync.WaitGroup
	both.Go(func() { pipe(inside, outside) })
	both.Go(func() { pipe(outside, inside) })
	both.Wait()
}

// pipe copies one direction and tells the other side of its end.
func pipe(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close() // a broken connection breaks the other
		_ = from.Close()
		return
	}
	if c, ok := to.(*net.TCPConn); ok {
		_ = c.CloseWrite()
	}
}
