package tests3

import (
	"context"
	"testing"

	"github.com/wastecoach/wastecoach/internal/s3server"
)

// Exclusive is a bucket on a gateway of its own, which the test may stop.
type Exclusive struct {
	Bucket
	tb  testing.TB
	srv *s3server.Server
}

// Server starts a gateway for this test alone; it ends with the test.
func Server(tb testing.TB) *Exclusive {
	tb.Helper()
	return server(tb, "", "")
}

// ServerTLS is Server with the certificate and the key in these PEM files.
func ServerTLS(tb testing.TB, certFile, keyFile string) *Exclusive {
	tb.Helper()
	return server(tb, certFile, keyFile)
}

func server(tb testing.TB, certFile, keyFile string) *Exclusive {
	tb.Helper()
	srv, err := start(tb.Context(), certFile, keyFile)
	if err != nil {
		tb.Fatalf("starting the S3 gateway: %v", err)
	}
	tb.Cleanup(func() {
		if err := srv.Kill(); err != nil {
			tb.Errorf("ending the S3 gateway: %v", err)
		}
	})
	return &Exclusive{Bucket: makeBucket(tb, srv), tb: tb, srv: srv}
}

// Stop lets running requests end, then ends the gateway.
func (e *Exclusive) Stop() {
	e.tb.Helper()
	if err := e.srv.Stop(e.tb.Context()); err != nil {
		e.tb.Fatalf("stopping the S3 gateway: %v", err)
	}
}

// Kill ends the gateway as a crash would.
func (e *Exclusive) Kill() {
	e.tb.Helper()
	if err := e.srv.Kill(); err != nil {
		e.tb.Fatalf("killing the S3 gateway: %v", err)
	}
}

// Restart stops the gateway if it runs and starts it on the same port and objects.
func (e *Exclusive) Restart() {
	e.tb.Helper()
	if err := e.srv.Restart(context.WithoutCancel(e.tb.Context())); err != nil {
		e.tb.Fatalf("restarting the S3 gateway: %v", err)
	}
}
