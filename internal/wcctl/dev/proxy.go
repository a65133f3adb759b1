package dev

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/problem"
)

const (
	apiPrefix         = "/api/v1/"
	requestIDHeader   = "X-Request-Id"
	retryAfter        = "1"
	statusGaveUp      = 499
	readHeaderTimeout = 5 * time.Second
	idlePerHost       = 512
)

var (
	errNoRoute = problem.New(problem.NotFound, "route_not_found", "There is no such route.")
	errNoOne   = problem.New(problem.Unavailable, "no_replica", "The service is not ready.")
	errBroken  = problem.New(http.StatusBadGateway, "bad_gateway", "The service broke off.")
)

// plainID is what the services accept as a request id.
var plainID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// proxy has the ingress's routes: /api/v1/<service>, and nothing else of a service.
type proxy struct {
	services map[string]http.Handler
}

func newProxy(pools []*replicas, logger *slog.Logger) *proxy {
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: 2 * time.Second}).DialContext,
		MaxIdleConnsPerHost: idlePerHost, IdleConnTimeout: time.Minute, DisableCompression: true,
	}
	p := &proxy{services: map[string]http.Handler{}}
	for _, service := range migrate.Schemas() {
		b := &balancer{transport: transport}
		for _, pool := range pools {
			if pool.pool.Service == service && !pool.pool.Worker {
				b.replicas = append(b.replicas, pool.all...)
			}
		}
		p.services[service] = &httputil.ReverseProxy{
			Rewrite:       rewrite,
			Transport:     b,
			FlushInterval: -1,
			ErrorLog:      slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
			ErrorHandler:  proxyError(service, logger),
		}
	}
	return p
}

func rewrite(r *httputil.ProxyRequest) {
	r.Out.URL.Scheme = "http"
	r.Out.Host = r.In.Host
	r.SetXForwarded()
}

// ServeHTTP implements http.Handler.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, isAPI := strings.CutPrefix(r.URL.Path, apiPrefix)
	service, _, _ := strings.Cut(rest, "/")
	handler := p.services[service]
	if !isAPI || handler == nil || leaves(r.URL.Path, apiPrefix+service) {
		refuse(w, r, errNoRoute)
		return
	}
	handler.ServeHTTP(w, r)
}

// servicePrefix is below which the services reach each other's own ports, as a cluster's service
// names do.
const servicePrefix = "/service/"

// insideProxy has the ingress's routes and, below /service/<service>, all of a service's own.
type insideProxy struct{ *proxy }

// ServeHTTP implements http.Handler.
func (p insideProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, direct := strings.CutPrefix(r.URL.Path, servicePrefix)
	service, _, _ := strings.Cut(rest, "/")
	handler := p.services[service]
	if !direct || handler == nil {
		p.proxy.ServeHTTP(w, r)
		return
	}
	http.StripPrefix(servicePrefix+service, handler).ServeHTTP(w, r)
}

// leaves tells whether a path climbs out of its prefix.
func leaves(p, prefix string) bool {
	clean := path.Clean(p)
	return clean != prefix && !strings.HasPrefix(clean, prefix+"/")
}

func proxyError(service string, logger *slog.Logger) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		switch {
		case errors.Is(err, context.Canceled):
			w.WriteHeader(statusGaveUp)
		case errors.Is(err, errNoReplica):
			w.Header().Set("Retry-After", retryAfter)
			refuse(w, r, errNoOne)
		default:
			logger.WarnContext(r.Context(), "request broken off", "upstream", service, "error", err.Error())
			refuse(w, r, errBroken)
		}
	}
}

func refuse(w http.ResponseWriter, r *http.Request, e *problem.Error) {
	id := r.Header.Get(requestIDHeader)
	if !plainID.MatchString(id) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	doc := e.Document()
	doc.Instance, doc.RequestID = r.URL.Path, id
	body, err := json.Marshal(doc)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set(requestIDHeader, id)
	w.Header().Set("Content-Type", problem.ContentType)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(doc.Status)
	_, _ = w.Write(body) // the client may be gone
}
