package dev

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// server is a program of ours; pgserver, redisserver and s3server have these.
type server interface {
	PID() int
	Done() <-chan struct{}
	Err() error
	Restart(ctx context.Context) error
	Stop(ctx context.Context) error
}

// child keeps one server running.
type child struct {
	name   string
	srv    server
	logger *slog.Logger
	// revived is called when the server has a new process.
	revived func()

	cancel context.CancelFunc
	watch  sync.WaitGroup
}

// keep starts the server again whenever it dies by itself, until stop.
func keep(
	ctx context.Context, name string, srv server, logger *slog.Logger, revived func(),
) *child {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &child{
		name: name, srv: srv, logger: logger.With("part", name), revived: revived, cancel: cancel,
	}
	c.watch.Go(func() { c.revive(life) })
	return c
}

func (c *child) revive(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.srv.Done():
		}
		c.logger.WarnContext(ctx, "ended by itself, starting it again", "error", fmt.Sprint(c.srv.Err()))
		began := time.Now()
		for pause := firstPause; sleep(ctx, pause); pause = min(2*pause, lastPause) {
			err := c.srv.Restart(ctx)
			if err == nil {
				c.logger.WarnContext(ctx, "runs again", "duration", time.Since(began))
				c.revived()
				break
			}
			if ctx.Err() == nil {
				c.logger.ErrorContext(ctx, "does not start", "error", err.Error())
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (c *child) stop(ctx context.Context) error {
	c.cancel()
	c.watch.Wait()
	return c.srv.Stop(ctx)
}
