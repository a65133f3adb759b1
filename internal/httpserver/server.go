// Package httpserver is the HTTP frame that every service stands in.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/redis/go-redis/v9"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// Bounds of a request. maxBody is far above any JSON that the API takes: photos go to S3.
// handleTimeout is beyond the longest poll, writeTimeout beyond what a slow phone needs for an answer.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	handleTimeout     = 40 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeader         = 32 << 10
	maxBody           = 64 << 10
	readyTimeout      = 2 * time.Second
)

// Config says where and how a service listens.
type Config struct {
	// Addr is host:port; port 0 takes a free one.
	Addr string `env:"ADDR" envDefault:":8080"`
	// DrainDelay is how long the server still answers after it turned not ready.
	DrainDelay time.Duration `env:"DRAIN_DELAY" envDefault:"0s"`
	// DrainTimeout bounds the wait for requests under way.
	DrainTimeout time.Duration `env:"DRAIN_TIMEOUT" envDefault:"15s"`
	// TrustedProxies are the networks of our own proxies, e.g. 10.244.0.0/16,127.0.0.0/8: only what
	// they say in X-Forwarded-For is believed to be a client's address.
	TrustedProxies Networks `env:"TRUSTED_PROXIES"`
	// CORSOrigins are the web pages that browsers let call us, e.g. https://app.example.com.
	CORSOrigins []Origin    `env:"CORS_ORIGINS"`
	Limits      LimitConfig `envPrefix:"LIMIT_"`
}

// Check tells whether a part that the service needs can be reached.
type Check func(context.Context) error

// Options are what a service hands to its frame.
type Options struct {
	// Service is the last part of the route prefix /api/v1/<service>.
	Service  string
	Logger   *slog.Logger
	Registry *prometheus.Registry
	// OpenAPI is the service's document as JSON.
	OpenAPI []byte
	// Ready names the checks of /readyz.
	Ready map[string]Check
	// Common is the Redis database in which all replicas count requests together; with nil each
	// counts its own.
	Common *redis.Client
}

// Server is a gin engine with request ids, logs, metrics, problem documents and health routes.
type Server struct {
	// API is where the service adds its routes, below /api/v1/<service>.
	API    *gin.RouterGroup
	engine *gin.Engine
	opts   Options
	gate   *gate
	// origins answers for the pages that may call.
	origins gin.HandlerFunc
	drain   chan struct{}
	stop    sync.Once
}

// New returns a Server without routes of its own. Until it runs with a Config it trusts no proxy,
// knows no web page and limits nobody.
func New(opts Options) *Server {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.HandleMethodNotAllowed = true
	engine.RedirectTrailingSlash = false // gin's redirects pass the middleware by
	engine.ContextWithFallback = true
	s := &Server{engine: engine, opts: opts, gate: newGate(opts), drain: make(chan struct{})}
	s.apply(Config{})
	engine.Use(identify, s.observe(newMetrics(opts)), secure, renderProblem, s.recoverPanic, limitBody)
	engine.Use(func(c *gin.Context) { s.origins(c) }, s.gate.enter)
	engine.NoRoute(fail(problem.New(problem.NotFound, "route_not_found", "There is no such route.")))
	engine.NoMethod(fail(errMethodNotAllowed))
	engine.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok\n") })
	engine.GET("/readyz", s.ready)
	engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(opts.Registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, // a part that is away must not hide the rest
	})))
	s.API = engine.Group("/api/v1/" + opts.Service)
	s.API.GET("/openapi.json", func(c *gin.Context) {
		c.Header("Cache-Control", "public, max-age=300")
		c.Data(http.StatusOK, "application/json", opts.OpenAPI)
	})
	return s
}

func (s *Server) apply(cfg Config) {
	cfg.TrustedProxies.trustedBy(s.engine)
	s.origins = crossOrigin(cfg.CORSOrigins)
	s.gate.set(cfg.Limits)
}

// Handler returns the whole frame as a handler, for Run and for tests.
func (s *Server) Handler() http.Handler {
	return otelhttp.NewHandler(s.engine, s.opts.Service,
		otelhttp.WithFilter(func(r *http.Request) bool { return !isHealthRoute(r.URL.Path) }))
}

// Routes lists what is registered, for the test that compares it with the OpenAPI document.
func (s *Server) Routes() gin.RoutesInfo { return s.engine.Routes() }

// Run serves until ctx ends, then turns not ready, waits DrainDelay and finishes what is under way.
func (s *Server) Run(ctx context.Context, cfg Config) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", cfg.Addr, err)
	}
	return s.Serve(ctx, listener, cfg)
}

// Serve is Run on a listener that the caller opened.
func (s *Server) Serve(ctx context.Context, listener net.Listener, cfg Config) error {
	s.apply(cfg)
	server := &http.Server{
		Handler:           s.Handler(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.opts.Logger.Handler(), slog.LevelWarn),
	}
	s.opts.Logger.InfoContext(ctx, "listening", "addr", listener.Addr().String())
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving %s: %w", s.opts.Service, err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		s.stop.Do(func() { close(s.drain) })
		time.Sleep(cfg.DrainDelay)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.DrainTimeout)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			return fmt.Errorf("draining %s: %w", s.opts.Service, errors.Join(err, server.Close()))
		}
		return nil
	})
	return group.Wait()
}

// Draining is closed when the server begins to stop: long polls end then.
func (s *Server) Draining() <-chan struct{} { return s.drain }

func (s *Server) ready(c *gin.Context) {
	select {
	case <-s.drain:
		_ = c.Error(problem.New(problem.Unavailable, "draining", "The server is stopping."))
		return
	default:
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), readyTimeout)
	defer cancel()
	for name, check := range s.opts.Ready {
		if err := check(ctx); err != nil {
			_ = c.Error(problem.New(problem.Unavailable, "not_ready", name+" cannot be reached.").
				Because(err))
			return
		}
	}
	c.String(http.StatusOK, "ready\n")
}

func isHealthRoute(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics"
}
