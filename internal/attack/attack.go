// Package attack sends hostile requests, made from the OpenAPI documents, to a running system.
//
// Every operation of every document is asked without a token, with broken ones, with one user's
// token for another user's things, and with whatever does not fit its parameters and body. No
// answer may be a 5xx, take longer than requestTimeout, carry what belongs to the victim, or let
// somebody in who has no token. What a document gains is attacked without a change here.
package attack

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// requestTimeout is far above what an answer takes: whoever makes the database sleep shows.
	requestTimeout = 15 * time.Second
	parallel       = 6
	maxAnswer      = 1 << 20
	// refusable is a body that a server need not read to its end to answer.
	refusable = 256 << 10
)

// Target is a system with two users who have done the same things.
type Target struct {
	// URL is the base of all routes, e.g. http://127.0.0.1:8080.
	URL string
	// Documents are OpenAPI 3.1 documents as JSON.
	Documents [][]byte
	// Victim is the access token of the user whose things must stay alone.
	Victim string
	// Canaries are texts that only the victim may see.
	Canaries []string
	// Attacker logs the other user in and returns an access token. It is called again and again:
	// some routes end what the token stands for.
	Attacker func(ctx context.Context) (string, error)
}

// Kind says what is wrong with an answer.
type Kind string

// The kinds of faults.
const (
	ServerError Kind = "5xx"          // the request was hostile, yet the server says it is its own fault
	Foreign     Kind = "foreign data" // the victim's, or behind a door that was to be closed
	NoAnswer    Kind = "no answer"    // the connection broke, or nothing came in time
	Limited     Kind = "429"          // the suite was kept from looking: the limits are too low for it
	NoProblem   Kind = "no problem"   // refused with something else than a problem document
)

// Fault is an answer that should not have been given.
type Fault struct {
	Kind    Kind
	Request string
	Detail  string
}

// Report is what an attack found.
type Report struct {
	Operations int
	Requests   int
	// Statuses counts the answers by the first digit of their status.
	Statuses map[int]int
	// Deep are the operations that took at least one request: their handlers were reached.
	Deep   int
	Took   time.Duration
	Faults []Fault
}

// Count returns how many faults of a kind there are.
func (r Report) Count(k Kind) int {
	n := 0
	for _, f := range r.Faults {
		if f.Kind == k {
			n++
		}
	}
	return n
}

// String is the figures in one line.
func (r Report) String() string {
	return fmt.Sprintf("routes %d (%d took a request), requests %d (2xx %d, 3xx %d, 4xx %d) in %s, "+
		"5xx = %d, foreign data = %d, no answer = %d, no problem document = %d, 429 = %d",
		r.Operations, r.Deep, r.Requests, r.Statuses[2], r.Statuses[3], r.Statuses[4],
		r.Took.Round(time.Second/10),
		r.Count(ServerError), r.Count(Foreign), r.Count(NoAnswer), r.Count(NoProblem), r.Count(Limited))
}

// run is one attack under way.
type run struct {
	Target
	client     *http.Client
	operations []operation
	// secrets are the victim's, found by looking around with the victim's token.
	secrets []string
	own     *things

	mu     sync.Mutex
	report Report
	deep   map[string]bool
}

// Run attacks the target. An error means that the attack could not begin.
func Run(ctx context.Context, target Target) (Report, error) {
	start := time.Now()
	r := &run{
		Target: target, own: newThings(), deep: map[string]bool{},
		report: Report{Statuses: map[int]int{}},
		client: &http.Client{
			Timeout:       requestTimeout,
			Transport:     &http.Transport{MaxIdleConnsPerHost: 2 * parallel, DisableCompression: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	defer r.client.CloseIdleConnections()
	for _, document := range target.Documents {
		operations, err := parse(document)
		if err != nil {
			return Report{}, err
		}
		r.operations = append(r.operations, operations...)
	}
	before, err := r.lookAround(ctx)
	if err != nil {
		return Report{}, err
	}
	if err := r.attackAll(ctx); err != nil {
		return Report{}, err
	}
	r.compare(ctx, before)
	r.report.Operations, r.report.Deep, r.report.Took = len(r.operations), len(r.deep), time.Since(start)
	slices.SortFunc(r.report.Faults, func(a, b Fault) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Request, b.Request))
	})
	return r.report, nil
}

// attackAll leaves for the end what may take the attacker's account away from the others.
func (r *run) attackAll(ctx context.Context) error {
	if err := r.settle(ctx); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	var last []operation
	for _, op := range r.operations {
		if op.method == http.MethodDelete && !strings.Contains(op.path, "{") {
			last = append(last, op)
			continue
		}
		group.Go(func() error { return r.attack(inner, op) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, op := range last {
		if err := r.attack(ctx, op); err != nil {
			return err
		}
	}
	return nil
}

// settle sends each operation one good request, twice, as what the first pass made is what the
// second one's paths and bodies name.
func (r *run) settle(ctx context.Context) error {
	token, err := r.Attacker(ctx)
	if err != nil {
		return fmt.Errorf("logging the attacker in: %w", err)
	}
	for range 2 {
		for _, op := range r.operations {
			if op.method == http.MethodDelete || strings.HasSuffix(op.path, "/cancel") {
				continue // what is gone cannot be attacked
			}
			s := op.good(r.own)
			s.what = "good"
			s.header.Set("Authorization", "Bearer "+token)
			if got := r.send(ctx, s); got.status/100 == 2 {
				r.own.gather(op, got.value())
			}
		}
	}
	return nil
}

func (r *run) attack(ctx context.Context, op operation) error {
	token, err := r.Attacker(ctx)
	if err != nil {
		return fmt.Errorf("logging the attacker in: %w", err)
	}
	for _, s := range op.shots(r.own, person{r.Victim, r.secrets}, token) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		got := r.send(ctx, s)
		if got.status/100 == 2 || got.status/100 == 3 {
			r.mu.Lock()
			r.deep[op.method+op.path] = true
			r.mu.Unlock()
		}
	}
	return nil
}

func (r *run) fault(kind Kind, s shot, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Faults = append(r.report.Faults,
		Fault{Kind: kind, Request: s.String(), Detail: fmt.Sprintf(format, args...)})
}
