package testdb

import (
	"context"
	"os"
	"testing"

	"github.com/wastecoach/wastecoach/internal/testmain"
)

// Exclusive is a migrated database on a server of its own, which the test may stop.
type Exclusive struct {
	*DB
}

// Server starts a server for this test alone; it ends with the test.
func Server(tb testing.TB) *Exclusive {
	tb.Helper()
	dir, err := testmain.Dir("pg")
	if err != nil {
		tb.Fatal(err)
	}
	srv, err := startServer(tb.Context(), dir)
	if err != nil {
		tb.Fatalf("starting PostgreSQL: %v", err)
	}
	tb.Cleanup(func() {
		if err := srv.Kill(); err != nil {
			tb.Errorf("ending PostgreSQL: %v", err)
		}
		_ = os.RemoveAll(dir) // what the killed backends still write goes when Main ends
	})
	if err := makeMigrated(tb.Context(), srv); err != nil {
		tb.Fatalf("migrating: %v", err)
	}
	return &Exclusive{DB: &DB{tb: tb, srv: srv, name: templateName}}
}

// Stop shuts the server down in order; open transactions are rolled back.
func (e *Exclusive) Stop() {
	e.tb.Helper()
	if err := e.srv.Stop(e.tb.Context()); err != nil {
		e.tb.Fatalf("stopping PostgreSQL: %v", err)
	}
}

// Kill ends the server as a crash would.
func (e *Exclusive) Kill() {
	e.tb.Helper()
	if err := e.srv.Kill(); err != nil {
		e.tb.Fatalf("killing PostgreSQL: %v", err)
	}
}

// Restart stops the server if it runs and starts it on the same port and data.
func (e *Exclusive) Restart() {
	e.tb.Helper()
	if err := e.srv.Restart(context.WithoutCancel(e.tb.Context())); err != nil {
		e.tb.Fatalf("restarting PostgreSQL: %v", err)
	}
}

// LogPath is the server's log.
func (e *Exclusive) LogPath() string { return e.srv.LogPath() }
