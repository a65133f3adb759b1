// Package pgserver runs a PostgreSQL server of our own on 127.0.0.1.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

// Superuser is the name of every cluster's first role.
const Superuser = "postgres"

const (
	defaultMaxConnections = 100
	startBudget           = 60 * time.Second
	fastStopBudget        = 15 * time.Second
	immediateStopBudget   = 10 * time.Second
	leftoversBudget       = 5 * time.Second
	leftoversPoll         = 50 * time.Millisecond
)

// Config says where the data is and how the server behaves.
type Config struct {
	// DataDir is the cluster's folder; made when it does not exist, else used as it is.
	DataDir string
	// LogPath is the server's log; default DataDir + ".log".
	LogPath string
	// Port on 127.0.0.1; 0 takes a free one, which Restart keeps.
	Port int
	// Password of the superuser, set when the cluster is made. Required.
	Password string
	// MaxConnections defaults to 100.
	MaxConnections int
	// Ephemeral gives durability up for speed: for tests only.
	Ephemeral bool
	// Settings are further server settings, by name.
	Settings map[string]string
	// InitFrom is a stopped cluster to copy instead of running initdb.
	InitFrom string
	// Binaries default to Find, else to a download into CacheDir.
	Binaries Binaries
	// CacheDir keeps downloaded programs; default is the user's cache, as root /var/cache.
	CacheDir string
	// Logger is told what takes long or is unusual; nil keeps quiet.
	Logger *slog.Logger
}

// Server is a running PostgreSQL. Its methods are safe for concurrent use.
type Server struct {
	cfg  Config
	user *childproc.User
	port int

	mu   sync.Mutex
	proc *childproc.Process
}

// Start makes the cluster if needed and returns once the server answers a query. A server
// outlives ctx: end it with Stop. It dies with this process whatever happens.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	cfg, err := cfg.resolved(ctx)
	if err != nil {
		return nil, err
	}
	u, err := initCluster(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, user: u, port: cfg.Port}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (c Config) resolved(ctx context.Context) (Config, error) {
	if c.DataDir == "" || c.Password == "" {
		return c, errors.New("PostgreSQL needs a data folder and a password for its superuser")
	}
	var err error
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return c, err
	}
	if c.LogPath == "" {
		c.LogPath = c.DataDir + ".log"
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = defaultMaxConnections
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	major, err := dataMajor(c.DataDir)
	if err != nil {
		return c, err
	}
	c.Binaries, err = c.chooseBinaries(ctx, major)
	return c, err
}

// start tries again when a free port was taken in between, and while a killed predecessor's
// processes still end.
func (s *Server) start(ctx context.Context) error {
	return s.startUntil(ctx, func(err error) bool {
		if errors.Is(err, childproc.ErrPortTaken) && s.cfg.Port == 0 {
			s.port = 0
			return true
		}
		return errors.Is(err, errLeftovers)
	})
}

// startAgain keeps the port, which backends of a killed server may hold a little longer.
func (s *Server) startAgain(ctx context.Context) error {
	return s.startUntil(ctx, func(err error) bool {
		return errors.Is(err, childproc.ErrPortTaken) || errors.Is(err, errLeftovers)
	})
}

func (s *Server) startUntil(ctx context.Context, again func(error) bool) error {
	deadline := time.Now().Add(leftoversBudget)
	for {
		err := s.startOnce(ctx)
		if err == nil || !again(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(leftoversPoll):
		}
	}
}

func (s *Server) startOnce(ctx context.Context) error {
	port, err := childproc.Port(ctx, s.port)
	if err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	s.port = port
	proc, err := childproc.Start(childproc.Config{
		Path: s.cfg.Binaries.Postgres(), Args: s.args(), Env: childEnv(), Dir: s.cfg.DataDir,
		// An immediate shutdown takes the backends along, which a killed postmaster cannot.
		LogPath: s.cfg.LogPath, User: s.user, DeathSignal: syscall.SIGQUIT,
	})
	if err != nil {
		return explain(fmt.Errorf("starting PostgreSQL: %w", err))
	}
	s.proc = proc
	ctx, cancel := context.WithTimeout(ctx, startBudget)
	defer cancel()
	if err := s.awaitReady(ctx); err != nil {
		stopErr := s.stop(context.WithoutCancel(ctx))
		return explain(fmt.Errorf("starting PostgreSQL: %w", errors.Join(err, stopErr)))
	}
	return nil
}

// DSN connects the superuser to a database.
func (s *Server) DSN(database string) string {
	return s.UserDSN(database, Superuser, s.cfg.Password)
}

// UserDSN connects a role to a database.
func (s *Server) UserDSN(database, role, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, password),
		Host: s.Addr(), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Addr is host:port.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port())) }

// Port is the port in use; it stays the same over restarts.
func (s *Server) Port() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.port
}

// PID is the postmaster's process id.
func (s *Server) PID() int { return s.process().PID() }

// Version is the server's version, such as "15.18".
func (s *Server) Version() string { return s.cfg.Binaries.Version }

// LogPath is the file that the server writes its log to.
func (s *Server) LogPath() string { return s.cfg.LogPath }

// Done is closed when the server process that runs now has ended.
func (s *Server) Done() <-chan struct{} { return s.process().Done() }

// Err tells after Done why: nil when Stop or Kill was called.
func (s *Server) Err() error { return s.process().Err() }

// Stop shuts down fast (open transactions are rolled back), and harder when that takes too long.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stop(ctx)
}

func (s *Server) stop(ctx context.Context) error {
	fast, cancel := context.WithTimeout(ctx, fastStopBudget)
	defer cancel()
	if err := s.proc.Stop(fast, syscall.SIGINT); err == nil {
		return nil
	}
	s.cfg.Logger.Warn("postgresql does not stop, forcing it", "pid", s.proc.PID())
	hard, cancelHard := context.WithTimeout(context.WithoutCancel(ctx), immediateStopBudget)
	defer cancelHard()
	if err := s.proc.Stop(hard, syscall.SIGQUIT); err == nil {
		return nil
	}
	return s.proc.Stop(hard, syscall.SIGKILL)
}

// Kill ends the server as a crash would.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc.Stop(context.Background(), syscall.SIGKILL)
}

// Restart stops the server if it runs and starts it again on the same data and port.
func (s *Server) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.stop(ctx); err != nil {
		return err
	}
	return s.startAgain(ctx)
}

func (s *Server) process() *childproc.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}
