package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// listening is an HTTP server of this process.
type listening struct {
	server   *http.Server
	listener net.Listener
	grace    time.Duration
	ended    chan error
}

// listen takes a part's port, which the flag chooses; nothing is answered before serve.
func listen(ctx context.Context, port int, part, flag string) (net.Listener, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, &PortTakenError{Part: part, Port: port, Flag: flag, Listener: listener(port)}
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return l, nil
}

func serve(l net.Listener, handler http.Handler, grace time.Duration, logger *slog.Logger) *listening {
	s := &listening{
		server: &http.Server{
			Handler: handler, ReadHeaderTimeout: readHeaderTimeout,
			ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
		},
		listener: l, grace: grace, ended: make(chan error, 1),
	}
	go func() { s.ended <- s.server.Serve(l) }()
	return s
}

// stop lets requests under way end within the grace.
func (s *listening) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.grace)
	defer cancel()
	err := s.server.Shutdown(ctx)
	if err != nil {
		err = s.server.Close()
	}
	if serveErr := <-s.ended; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	return err
}
