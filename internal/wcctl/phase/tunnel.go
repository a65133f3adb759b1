package phase

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/release"
)

const headerTimeout = time.Minute

// tunnels serve the bundle on machines, one listener each.
type tunnels struct {
	mu     sync.Mutex
	server *http.Server
	open   map[string]*tunnel
	serves sync.WaitGroup
}

type tunnel struct {
	listener net.Listener
	ended    chan struct{}
}

// serve makes sure that the machines reach the bundle; a tunnel stays until the run ends.
func (r *Run) serve(ctx context.Context, machines fleet.Fleet) error {
	if r.Bundle == nil {
		return nil
	}
	return r.forEachHost(machines, func(h *host) error {
		if err := r.tunnels.ensure(ctx, h, r.Bundle); err != nil {
			return fmt.Errorf("serving the bundle on %s: %w", h.machine.Name, err)
		}
		return nil
	})
}

func (t *tunnels) ensure(ctx context.Context, h *host, bundle http.Handler) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.open[h.machine.Name]; old != nil && old.alive() {
		return nil
	}
	if t.server == nil {
		t.server = &http.Server{Handler: bundle, ReadHeaderTimeout: headerTimeout}
		t.open = map[string]*tunnel{}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	listener, err := h.shell.Listen(release.BundleAddress)
	if err != nil {
		return err
	}
	open := &tunnel{listener: listener, ended: make(chan struct{})}
	t.open[h.machine.Name] = open
	server := t.server
	t.serves.Go(func() {
		defer close(open.ended)
		// It ends with its listener; whoever needs it next opens another.
		_ = server.Serve(listener)
	})
	return nil
}

func (t *tunnel) alive() bool {
	select {
	case <-t.ended:
		return false
	default:
		return true
	}
}

func (t *tunnels) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server == nil {
		return
	}
	err := t.server.Close()
	for _, open := range t.open {
		err = errors.Join(err, open.listener.Close())
	}
	_ = err // the logins below end as well
	t.serves.Wait()
	t.server, t.open = nil, nil
}
