// Package redisserver runs a Redis server of our own on 127.0.0.1.
package redisserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	defaultDatabases = 16
	startBudget      = 30 * time.Second
	stopBudget       = 10 * time.Second
	startTries       = 5
)

// ErrNotFound is returned when redis-server is missing and no stand-in is allowed.
var ErrNotFound = errors.New("redis-server is not in PATH: apt-get install redis-server")

// Config says where the data is and how the server behaves.
type Config struct {
	// Dir holds the append-only file and the log redis.log; made when it does not exist.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one, which Restart keeps.
	Port int
	// Password is asked of every client; empty asks for none.
	Password string
	// Databases defaults to 16.
	Databases int
	// Ephemeral keeps nothing on disk: for tests only.
	Ephemeral bool
	// AllowStandIn runs miniredis, which forgets everything, when redis-server is missing.
	AllowStandIn bool
	// Logger is told what is unusual; nil keeps quiet.
	Logger *slog.Logger
}

// backend is a server that can be started again on the same port.
type backend interface {
	start(ctx context.Context, port int) error
	stop(ctx context.Context) error
	kill() error
	done() <-chan struct{}
	err() error
	pid() int
}

// Server is a running Redis. Its methods are safe for concurrent use.
type Server struct {
	cfg     Config
	durable bool

	mu      sync.Mutex
	backend backend
	port    int
}

// Start returns once the server answers. It outlives ctx: end it with Stop. It dies with this
// process whatever happens.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.Databases == 0 {
		cfg.Databases = defaultDatabases
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: cfg, port: cfg.Port}
	if err := s.choose(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) choose() error {
	path, err := exec.LookPath("redis-server")
	if err == nil {
		dir, err := filepath.Abs(s.cfg.Dir)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("creating folder for Redis: %w", err)
		}
		s.cfg.Dir = dir
		s.durable = !s.cfg.Ephemeral
		s.backend = &program{cfg: s.cfg, path: path}
		return nil
	}
	if !s.cfg.AllowStandIn {
		return ErrNotFound
	}
	s.cfg.Logger.Warn("redis-server is not in PATH, running miniredis: its data will not survive a stop",
		"next_step", "apt-get install redis-server")
	s.backend = newStandIn(s.cfg)
	return nil
}

func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startBudget)
	defer cancel()
	var err error
	for range startTries {
		var port int
		if port, err = choosePort(ctx, s.port); err != nil {
			return fmt.Errorf("starting Redis: %w", err)
		}
		if err = s.backend.start(ctx, port); err == nil {
			s.port = port
			return nil
		}
		// Another program may have taken the free port in between.
		if s.port != 0 || ctx.Err() != nil {
			break
		}
	}
	return fmt.Errorf("starting Redis: %w", err)
}

// Addr is host:port.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
}

// Options connect a client to one database.
func (s *Server) Options(db int) *redis.Options {
	return &redis.Options{Addr: s.Addr(), Password: s.cfg.Password, DB: db}
}

// Durable tells whether data survives a stop: false for miniredis and ephemeral servers.
func (s *Server) Durable() bool { return s.durable }

// PID is the server's process id; that of this process for miniredis.
func (s *Server) PID() int { return s.current().pid() }

// Done is closed when the server that runs now has ended.
func (s *Server) Done() <-chan struct{} { return s.current().done() }

// Err tells after Done why: nil when Stop or Kill was called.
func (s *Server) Err() error { return s.current().err() }

func (s *Server) current() backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backend
}

// Stop writes what is pending and ends the server. It is safe to call twice.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, stopBudget)
	defer cancel()
	return s.backend.stop(ctx)
}

// Kill ends the server as a crash would.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.backend.kill()
}

// Restart stops the server if it runs and starts it again on the same port and data.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stopCtx, cancel := context.WithTimeout(ctx, stopBudget)
	defer cancel()
	if err := s.backend.stop(stopCtx); err != nil {
		return err
	}
	return s.start(ctx)
}
