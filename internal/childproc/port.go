package childproc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// ErrPortTaken is returned when another program listens on a wished port.
var ErrPortTaken = errors.New("port is taken")

// Port checks that a TCP port of 127.0.0.1 is free; 0 asks for any. The port is only held
// during the call, so a server that then cannot bind must be started again.
func Port(ctx context.Context, wish int) (int, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", wish))
	if errors.Is(err, syscall.EADDRINUSE) {
		return 0, fmt.Errorf("127.0.0.1:%d: %w", wish, ErrPortTaken)
	}
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}
