package dev

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"sync"
)

// stack is one run of everything.
type stack struct {
	cfg    Config
	log    *Log
	logger *slog.Logger
	lock   *Lock
	// flush sends the last traces.
	flush func(context.Context) error

	secrets secrets
	ports   ports
	at      addresses
	environ map[string][]string
	pools   []*replicas

	postgres, redis, s3   *child
	openID, inside, proxy *listening
	// publishing is held while other commands are told where the stack is; published, that they know.
	publishing sync.Mutex
	published  bool
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
	l, err := listen(ctx, 0, "service routes", "")
	if err != nil {
		return "", err
	}
	s.inside = serve(l, insideProxy{newProxy(s.pools, s.logger)}, s.cfg.Grace, s.logger)
	s.at.Inside = "http://" + l.Addr().String()
	s.environ, err = environs(s.cfg, s.secrets, s.at)
	return s.at.Inside, err
}

func (s *stack) startProxy(ctx context.Context) (string, error) {
	l, err := listen(ctx, s.ports.Proxy, "the API", "--port")
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
