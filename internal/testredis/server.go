package testredis

import (
	"context"
	"testing"
)

// Exclusive is a server of its own, which the test may stop. It keeps nothing over a stop.
type Exclusive struct {
	*Redis
}

// Server starts a server for this test alone; it ends with the test.
func Server(tb testing.TB) *Exclusive {
	tb.Helper()
	srv, err := start(tb.Context(), databasesPerTest)
	if err != nil {
		tb.Fatalf("starting Redis: %v", err)
	}
	tb.Cleanup(func() {
		if err := srv.Kill(); err != nil {
			tb.Errorf("ending Redis: %v", err)
		}
	})
	return &Exclusive{Redis: &Redis{tb: tb, srv: srv}}
}

// Kill ends the server as a crash would.
func (e *Exclusive) Kill() {
	e.tb.Helper()
	if err := e.srv.Kill(); err != nil {
		e.tb.Fatalf("killing Redis: %v", err)
	}
}

// Restart stops the server if it runs and starts it, empty, on the same port.
func (e *Exclusive) Restart() {
	e.tb.Helper()
	if err := e.srv.Restart(context.WithoutCancel(e.tb.Context())); err != nil {
		e.tb.Fatalf("restarting Redis: %v", err)
	}
}
