package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// DefaultParallel is how many machines are talked to at once where nobody says otherwise.
const DefaultParallel = 10

// Pool is a login to each of several machines.
type Pool struct {
	order    []string
	clients  map[string]*Client
	parallel int
}

// DialAll logs in to all machines, parallel at a time; o.Machine is not used. Where some cannot be
// reached, the pool holds the others and the error, an errors.Join of *Error, names each.
func DialAll(
	ctx context.Context, machines fleet.Fleet, o Options, parallel int,
) (*Pool, error) {
	if parallel <= 0 {
		parallel = DefaultParallel
	}
	p := &Pool{clients: map[string]*Client{}, parallel: parallel}
	clients := make([]*Client, len(machines))
	err := each(parallel, len(machines), func(i int) (err error) {
		own := o
		own.Machine = machines[i]
		clients[i], err = Dial(ctx, own)
		return err
	})
	for i, c := range clients {
		if c != nil {
			p.order = append(p.order, machines[i].Name)
			p.clients[machines[i].Name] = c
		}
	}
	return p, err
}

// Client is the login to the machine of that name.
func (p *Pool) Client(name string) (*Client, error) {
	c, ok := p.clients[name]
	if !ok {
		return nil, fmt.Errorf("not logged in to %q", name)
	}
	return c, nil
}

// Clients are all logins, in the fleet's order.
func (p *Pool) Clients() []*Client {
	clients := make([]*Client, len(p.order))
	for i, name := range p.order {
		clients[i] = p.clients[name]
	}
	return clients
}

// Each does the same on all machines, with the pool's bound. It waits for all and joins the errors.
func (p *Pool) Each(ctx context.Context, do func(context.Context, *Client) error) error {
	clients := p.Clients()
	return each(p.parallel, len(clients), func(i int) error { return do(ctx, clients[i]) })
}

// Close ends all logins.
func (p *Pool) Close() error {
	for _, c := range p.clients {
		_ = c.Close()
	}
	return nil
}

// each calls do for 0..n-1, parallel at a time, and joins the errors in that order.
func each(parallel, n int, do func(int) error) error {
	errs := make([]error, n)
	slots := make(chan struct{}, parallel)
	var group sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	group.Wait()
	return errors.Join(errs...)
}
