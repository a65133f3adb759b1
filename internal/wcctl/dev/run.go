package dev

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/telemetry"
)

// stopBudget is what each part gets to stop, beyond Grace.
const (
	stopBudget        = 30 * time.Second
	traceFlushTimeout = 3 * time.Second
)

// Run starts everything, and stops it in order when ctx ends. It returns nil after a stop.
func Run(ctx context.Context, cfg Config) (err error) {
	s := &stack{cfg: cfg}
	if err := s.prepare(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	defer func() { err = errors.Join(err, s.close()) }()
	list := s.parts()
	started := 0
	for _, p := range list {
		if err = s.startPart(ctx, p); err != nil {
			break
		}
		started++
	}
	if err == nil {
		err = s.ready(ctx)
	}
	// Stopping must work although ctx has ended: that is what asks for it.
	return errors.Join(err, s.stopParts(context.WithoutCancel(ctx), list[:started]))
}

// keep is keep for a stack: other commands hear of a server's new process.
func (s *stack) keep(ctx context.Context, name string, srv server) *child {
	return keep(ctx, name, srv, s.logger, func() {
		if err := s.republish(); err != nil {
			s.logger.WarnContext(ctx, "state not written", "error", err.Error())
		}
	})
}

// getenv looks into Environ.
func (c Config) getenv(key string) string {
	for _, line := range c.Environ {
		if value, ok := strings.CutPrefix(line, key+"="); ok {
			return value
		}
	}
	return ""
}

// ready tells everybody and waits for the end of ctx.
func (s *stack) ready(ctx context.Context) error {
	info, err := s.publish()
	if err != nil {
		return err
	}
	defer s.unpublish()
	if err := s.lock.tell(info.URL); err != nil {
		return err
	}
	if s.cfg.OnReady != nil {
		s.cfg.OnReady(info)
	}
	<-ctx.Done()
	return nil
}

func (s *stack) prepare(ctx context.Context) (err error) {
	if err := s.cfg.Data.Make(); err != nil {
		return err
	}
	if s.lock, err = TakeLock(s.cfg.Data); err != nil {
		return err
	}
	if s.cfg.Reset {
		if err := s.cfg.Data.Empty(); err != nil {
			return err
		}
	}
	if s.log, err = OpenLog(s.cfg.Data, s.cfg.Show); err != nil {
		return err
	}
	s.logger = telemetry.NewLogger(s.log, "dev", s.cfg.logLevel())
	if s.flush, err = telemetry.StartTracing(ctx, "wastecoach-dev", s.cfg.getenv); err != nil {
		return err
	}
	warning, err := s.cfg.Data.CheckDisk()
	if err != nil {
		return err
	}
	if warning != "" {
		s.logger.WarnContext(ctx, "the disk is getting full", "text", warning)
	}
	if s.secrets, err = s.cfg.Data.secrets(); err != nil {
		return err
	}
	if s.ports, err = choosePorts(ctx, s.cfg); err != nil {
		return err
	}
	for _, pool := range s.cfg.Pools {
		if s.cfg.Replicas[pool.Name] > 0 {
			s.pools = append(s.pools, newReplicas(s.cfg, pool, s.log))
		}
	}
	return nil
}

// close gives back what prepare took.
func (s *stack) close() error {
	var errs []error
	if s.flush != nil {
		ctx, cancel := context.WithTimeout(context.Background(), traceFlushTimeout)
		defer cancel()
		errs = append(errs, s.flush(ctx))
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Release())
	}
	return errors.Join(errs...)
}

func (s *stack) startPart(ctx context.Context, p part) error {
	began := time.Now()
	detail, err := p.start(ctx)
	s.tell(Event{Part: p.title, Detail: detail, Took: time.Since(began), Err: err})
	if err != nil {
		s.logger.InfoContext(ctx, "part did not start", "part", p.title, "error", err.Error())
		return fmt.Errorf("starting %s: %w", p.title, err)
	}
	s.logger.InfoContext(ctx, "part started", "part", p.title, "detail", detail,
		"duration", time.Since(began))
	return nil
}

func (s *stack) stopParts(ctx context.Context, list []part) error {
	var errs []error
	for _, p := range slices.Backward(list) {
		if p.stop == nil {
			continue
		}
		began := time.Now()
		err := s.stopPart(ctx, p)
		s.tell(Event{Part: p.title, Stopped: true, Took: time.Since(began), Err: err})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *stack) stopPart(ctx context.Context, p part) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Grace+stopBudget)
	defer cancel()
	if err := p.stop(ctx); err != nil {
		s.logger.WarnContext(ctx, "part did not stop in order", "part", p.title, "error", err.Error())
		return fmt.Errorf("stopping %s: %w", p.title, err)
	}
	return nil
}

func (s *stack) tell(e Event) {
	if s.cfg.OnEvent != nil {
		s.cfg.OnEvent(e)
	}
}
