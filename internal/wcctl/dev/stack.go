package dev

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/wastecoach/wastecoach/internal/telemetry"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

// stopBudget is what each part gets to stop, beyond Grace.
const stopBudget = 30 * time.Second

// stack is one run of everything.
type stack struct {
	cfg    Config
	log    *Log
	logger *slog.Logger
	lock   *Lock

	secrets secrets
	ports   ports
	at      addresses
	environ map[string][]string
	pools   []*replicas

	postgres, redis, s3   *child
	openID, inside, proxy *listening
}

// part is one line of the list that is started, shown and stopped.
type part struct {
	title string
	// start returns where the part is; after an error nothing of it runs.
	start func(ctx context.Context) (detail string, err error)
	// stop is nil where nothing stays running.
	stop func(ctx context.Context) error
}

// parts is the whole system in the order of its start; it stops in reverse.
func (s *stack) parts() []part {
	list := []part{
		{"PostgreSQL", s.startPostgres, func(ctx context.Context) error { return s.postgres.stop(ctx) }},
		{"migrations", s.migrate, nil},
		{"Redis", s.startRedis, func(ctx context.Context) error { return s.redis.stop(ctx) }},
		{"S3", s.startS3, func(ctx context.Context) error { return s.s3.stop(ctx) }},
		{"OpenID provider", s.startOpenID, func(ctx context.Context) error { return s.openID.stop(ctx) }},
		{"service routes", s.startInside, func(ctx context.Context) error { return s.inside.stop(ctx) }},
	}
	for _, pool := range s.pools {
		list = append(list, part{pool.title(), s.startPool(pool), pool.stop})
	}
	return append(list,
		part{"API", s.startProxy, func(ctx context.Context) error { return s.proxy.stop(ctx) }})
}

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

// ready tells everybody and waits for the end of ctx.
func (s *stack) ready(ctx context.Context) error {
	info := s.info()
	if err := publish(info); err != nil {
		return err
	}
	defer func() { _ = devstate.Remove(string(s.cfg.Data)) }() // a stale one is recognized
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
	s.logger = telemetry.NewLogger(s.log, "dev", logLevel(s.cfg.Environ))
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

func (s *stack) startPool(pool *replicas) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		err := pool.start(ctx, s.environ[pool.pool.Service])
		if err != nil {
			err = errors.Join(err, pool.stop(context.WithoutCancel(ctx)))
		}
		return "", err
	}
}

// startInside serves the services' calls of each other, as a cluster's services do; the API's
// own port closes before them.
func (s *stack) startInside(ctx context.Context) (string, error) {
	l, err := listen(ctx, 0)
	if err != nil {
		return "", err
	}
	s.inside = serve(l, s.routes(), s.cfg.Grace, s.logger)
	s.at.Inside = "http://" + l.Addr().String()
	s.environ, err = environs(s.cfg, s.secrets, s.at)
	return s.at.Inside, err
}

func (s *stack) startProxy(ctx context.Context) (string, error) {
	l, err := listen(ctx, s.ports.Proxy)
	if err != nil {
		return "", err
	}
	s.proxy = serve(l, s.routes(), s.cfg.Grace, s.logger)
	s.at.Proxy = "http://" + l.Addr().String()
	return s.at.Proxy, nil
}

func (s *stack) routes() http.Handler { return newProxy(s.pools, s.logger) }

func (s *stack) info() Info {
	info := Info{
		PID: os.Getpid(), Since: s.lock.owner.Since, Data: s.cfg.Data,
		URL: s.at.Proxy, S3: s.at.S3, OpenID: s.at.OpenID, Redis: s.at.Redis,
		RedisPassword: s.secrets.Redis,
		Postgres:      s.at.Postgres("postgres"), Migrator: s.at.Postgres("migrator"),
		Environ: s.environ, Children: map[string]int{}, Detached: s.cfg.Detached,
	}
	for _, c := range []*child{s.postgres, s.redis, s.s3} {
		info.Children[c.name] = c.srv.PID()
	}
	for _, pool := range s.pools {
		for _, r := range pool.all {
			info.Replicas = append(info.Replicas, ReplicaInfo{
				Name: r.name, Service: pool.pool.Service, Worker: pool.pool.Worker, URL: r.url(),
			})
		}
	}
	return info
}

func (rs *replicas) title() string { return rs.pool.Name + " ×" + strconv.Itoa(len(rs.all)) }
