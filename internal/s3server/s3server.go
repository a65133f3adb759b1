// Package s3server runs an S3 gateway on a folder of this machine.
//
// The gateway is versitygw as a library. It changes the working directory, has process-wide
// state and prints to stdout, so it runs in a child process: the same program, started again.
package s3server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

const (
	defaultRegion = "ap-northeast-2"
	startBudget   = 30 * time.Second
	stopBudget    = 15 * time.Second
	startTries    = 5
)

// Config says where the objects are and who may reach them.
type Config struct {
	// Dir holds objects, their metadata and the log gateway.log; made when it does not exist.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one, which Restart keeps.
	Port int
	// AccessKey and SecretKey are the only account.
	AccessKey string
	SecretKey string
	// CertFile and KeyFile are PEM files to serve TLS with; empty is plain HTTP.
	CertFile string
	KeyFile  string
	// Region defaults to ap-northeast-2; requests signed for another are refused.
	Region string
	// Buckets are made when they do not exist.
	Buckets []string
	// Command is a program with arguments whose main is Serve; Env is added to its environment.
	Command []string
	Env     []string
	// Logger is told what is unusual; nil keeps quiet.
	Logger *slog.Logger
}

// Server is a running gateway. Its methods are safe for concurrent use.
type Server struct {
	cfg Config

	mu   sync.Mutex
	port int
	proc *childproc.Process
}

// Start returns once the gateway answers and its buckets exist. It outlives ctx: end it with
// Stop. It dies with this process whatever happens.
func Start(ctx context.Context, cfg Config) (*Server, error) {
	if cfg.AccessKey == "" || cfg.SecretKey == "" || len(cfg.Command) == 0 {
		return nil, errors.New("the S3 gateway needs an access key, a secret key and a command")
	}
	if cfg.Region == "" {
		cfg.Region = defaultRegion
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	var err error
	if cfg.Dir, err = filepath.Abs(cfg.Dir); err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, port: cfg.Port}
	if err := s.locked(func() error { return s.start(ctx) }); err != nil {
		return nil, err
	}
	for _, bucket := range cfg.Buckets {
		if err := s.MakeBucket(ctx, bucket); err != nil {
			return nil, errors.Join(err, s.Kill())
		}
	}
	return s, nil
}

func (s *Server) locked(do func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return do()
}

func (s *Server) start(ctx context.Context) error {
	var err error
	for range startTries {
		if err = s.startOnce(ctx, s.port); err == nil {
			return nil
		}
		// Another program may have taken the free port in between.
		if s.port != 0 || !errors.Is(err, childproc.ErrPortTaken) {
			break
		}
	}
	return fmt.Errorf("starting the S3 gateway: %w", err)
}

func (s *Server) startOnce(ctx context.Context, wish int) error {
	port, err := childproc.Port(ctx, wish)
	if err != nil {
		return err
	}
	stdin, err := s.cfg.order(port)
	if err != nil {
		return err
	}
	env := append([]string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "TMPDIR=" + os.TempDir()}, s.cfg.Env...)
	proc, err := childproc.Start(childproc.Config{
		Path: s.cfg.Command[0], Args: s.cfg.Command[1:], Env: env, Dir: s.cfg.Dir, Stdin: stdin,
		LogPath: filepath.Join(s.cfg.Dir, "gateway.log"), DeathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	if err := awaitReady(ctx, proc, s.cfg.endpoint(port)); err != nil {
		return explain(errors.Join(err, proc.Stop(context.WithoutCancel(ctx), syscall.SIGKILL)))
	}
	s.proc, s.port = proc, port
	return nil
}

func explain(err error) error {
	text := err.Error()
	switch {
	case strings.Contains(text, "address already in use"):
		return fmt.Errorf("%w: choose another port: %w", childproc.ErrPortTaken, err)
	case strings.Contains(text, "no space left on device"):
		return fmt.Errorf("the disk is full: make room, then start again: %w", err)
	default:
		return err
	}
}

// MakeBucket makes a bucket unless it exists.
func (s *Server) MakeBucket(ctx context.Context, name string) error {
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint()), Region: s.cfg.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.cfg.AccessKey, s.cfg.SecretKey, ""),
		HTTPClient:  own,
	})
	if _, err := client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &name}); err == nil {
		return nil
	}
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil {
		return fmt.Errorf("making bucket %s: %w", name, err)
	}
	return nil
}

// Endpoint is the gateway's URL; buckets are the first part of the path.
func (s *Server) Endpoint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cfg.endpoint(s.port)
}

func (c Config) endpoint(port int) string {
	scheme := "http://"
	if c.CertFile != "" {
		scheme = "https://"
	}
	return scheme + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// Region is the region that requests must be signed for.
func (s *Server) Region() string { return s.cfg.Region }

// PID is the gateway's process id.
func (s *Server) PID() int { return s.process().PID() }

// Done is closed when the gateway that runs now has ended.
func (s *Server) Done() <-chan struct{} { return s.process().Done() }

// Err tells after Done why: nil when Stop or Kill was called.
func (s *Server) Err() error { return s.process().Err() }

func (s *Server) process() *childproc.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.proc
}

// Stop lets running requests end, and is harder when that takes too long. It is safe to call
// twice.
func (s *Server) Stop(ctx context.Context) error {
	return s.locked(func() error { return s.stop(ctx) })
}

func (s *Server) stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopBudget)
	defer cancel()
	if err := s.proc.Stop(ctx, syscall.SIGTERM); err == nil {
		return nil
	}
	s.cfg.Logger.Warn("s3 gateway does not stop, forcing it", "pid", s.proc.PID())
	return s.proc.Stop(ctx, syscall.SIGKILL)
}

// Kill ends the gateway as a crash would.
func (s *Server) Kill() error {
	return s.locked(func() error { return s.proc.Stop(context.Background(), syscall.SIGKILL) })
}

// Restart stops the gateway if it runs and starts it again on the same port and data.
func (s *Server) Restart(ctx context.Context) error {
	return s.locked(func() error {
		if err := s.stop(ctx); err != nil {
			return err
		}
		return s.start(ctx)
	})
}
