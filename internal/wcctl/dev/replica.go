package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

const (
	readyBudget = 60 * time.Second
	// readyPoll is how often a starting replica is asked, readyCheck a running one.
	readyPoll  = 20 * time.Millisecond
	readyCheck = time.Second
	firstPause = 250 * time.Millisecond
	lastPause  = 15 * time.Second
	// portTries covers another program taking a free port before the replica does.
	portTries = 5
)

// replica is one process of a service, run as a goroutine.
type replica struct {
	name    string
	pool    Pool
	environ []string
	logger  *slog.Logger
	client  *http.Client

	port  atomic.Int32
	ready atomic.Bool
}

func (r *replica) addr() string { return "127.0.0.1:" + strconv.Itoa(int(r.port.Load())) }
func (r *replica) url() string  { return "http://" + r.addr() }

// live runs the replica until ctx ends and starts it again when it ends by itself. The first end,
// before it was ready, goes to failed instead.
func (r *replica) live(ctx context.Context, failed chan<- error) {
	pause := firstPause
	for wasReady, tries := false, 0; ; {
		began := time.Now()
		err := r.run(ctx)
		wasReady = r.ready.Swap(false) || wasReady
		if ctx.Err() != nil {
			if err != nil && !errors.Is(err, context.Canceled) {
				r.logger.WarnContext(ctx, "stopped with an error", "error", err.Error())
			}
			return
		}
		if !wasReady {
			if tries++; tries < portTries && errors.Is(err, syscall.EADDRINUSE) {
				r.port.Store(0)
				continue
			}
			failed <- fmt.Errorf("%s: %w", r.name, err)
			return
		}
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		r.logger.WarnContext(ctx, "ended by itself, starting it again",
			"error", fmt.Sprint(err), "pause", pause)
		if !sleep(ctx, pause) {
			return
		}
		pause = min(2*pause, lastPause)
	}
}

// run is one life of the process.
func (r *replica) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	port, err := childproc.Port(ctx, int(r.port.Load()))
	if errors.Is(err, childproc.ErrPortTaken) {
		port, err = childproc.Port(ctx, 0)
	}
	if err != nil {
		return err
	}
	r.port.Store(int32(port)) //nolint:gosec // a port
	err = r.pool.Run(ctx, WithAddr(r.environ, r.pool.Service, r.addr()), r.logger)
	if err == nil && ctx.Err() == nil {
		err = errors.New("it returned")
	}
	return err
}

// watch keeps ready up to date until ctx ends.
func (r *replica) watch(ctx context.Context) {
	pause := readyPoll
	for sleep(ctx, pause) {
		ready := r.probe(ctx)
		r.ready.Store(ready)
		pause = readyPoll
		if ready {
			pause = readyCheck
		}
	}
}

func (r *replica) probe(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url()+"/readyz", http.NoBody)
	if err != nil {
		return false
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
