// Package tests3 gives each test a bucket of its own on a real S3 gateway.
package tests3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/wastecoach/wastecoach/internal/s3server"
	"github.com/wastecoach/wastecoach/internal/testmain"
)

const (
	accessKey = "TESTACCESSKEY"
	secretKey = "test-secret-key"
	// gatewayEnv tells a test binary, started again, that it is the gateway.
	gatewayEnv = "WASTECOACH_TEST_S3_GATEWAY"
)

// Bucket is an empty bucket and the account that may reach it.
type Bucket struct {
	Name      string
	Endpoint  string
	Region    string
	AccessKey string
	SecretKey string
}

var (
	serial   atomic.Int64
	mainUsed atomic.Bool
	shared   = sync.OnceValues(func() (*s3server.Server, error) {
		return start(context.Background(), "", "")
	})
)

// Main runs the tests of a package and ends what they share: os.Exit(tests3.Main(m)). A package
// that calls New or Server needs it, because the gateway is the test binary started again.
func Main(m testmain.Tests) int {
	if os.Getenv(gatewayEnv) != "" {
		return serve()
	}
	mainUsed.Store(true)
	return testmain.Main(m)
}

func serve() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := s3server.Serve(ctx, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// New makes a bucket on the gateway that the tests of this binary share.
func New(tb testing.TB) Bucket {
	tb.Helper()
	srv, err := shared()
	if err != nil {
		tb.Fatalf("starting the tests' S3 gateway: %v", err)
	}
	return makeBucket(tb, srv)
}

func makeBucket(tb testing.TB, srv *s3server.Server) Bucket {
	tb.Helper()
	name := fmt.Sprintf("test-%d", serial.Add(1))
	if err := srv.MakeBucket(tb.Context(), name); err != nil {
		tb.Fatal(err)
	}
	return Bucket{
		Name: name, Endpoint: srv.Endpoint(), Region: srv.Region(),
		AccessKey: accessKey, SecretKey: secretKey,
	}
}

func start(ctx context.Context, certFile, keyFile string) (*s3server.Server, error) {
	if !mainUsed.Load() {
		return nil, errors.New("the package's TestMain must be: os.Exit(tests3.Main(m))")
	}
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := testmain.Dir("s3")
	if err != nil {
		return nil, err
	}
	srv, err := s3server.Start(ctx, s3server.Config{
		Dir: dir, AccessKey: accessKey, SecretKey: secretKey,
		Command: []string{program}, Env: []string{gatewayEnv + "=1"},
		CertFile: certFile, KeyFile: keyFile,
	})
	if err != nil {
		return nil, err
	}
	testmain.AtExit(func() { _ = srv.Kill() })
	return srv, nil
}
