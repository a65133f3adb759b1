// Package kube tells how a cluster fares, from its API and from the certificates on its machines.
package kube

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	metricsapi "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const (
	// requestTimeout bounds each request; an API server that lives answers far sooner.
	requestTimeout = 10 * time.Second
	// The client's own limit of requests a second would make one look take seconds.
	queriesPerSecond = 50
)

// Cluster is a connection to one cluster's API server.
type Cluster struct {
	client kubernetes.Interface
	usage  metricsapi.Interface
	config *rest.Config
	http   *http.Client
	// name is the context's, address the API server's host:port.
	name, address string
	lookup        func(ctx context.Context, pod string) error
	// evictEvery is the constant's unless a test is in a hurry.
	evictEvery time.Duration

	mu   sync.Mutex
	slow map[string]remembered
}

// Connect reads a kubeconfig and prepares the connection; nothing is sent yet.
func Connect(kubeconfigPath string) (*Cluster, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfigPath}
	kubeconfig := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	raw, err := kubeconfig.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", kubeconfigPath, err)
	}
	config, err := kubeconfig.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig %s: %w", kubeconfigPath, err)
	}
	c, err := connect(config)
	if err != nil {
		return nil, err
	}
	c.name = cmp.Or(raw.CurrentContext, c.address)
	return c, nil
}

// Config is how the API server is reached, for clients of other libraries.
func (c *Cluster) Config() *rest.Config {
	config := rest.CopyConfig(c.config)
	config.Timeout = 0 // each request's own context bounds it, and a watch has no bound
	return config
}

// quiet keeps client-go's own log lines out of the terminal; every error that matters is returned.
var quiet = sync.OnceFunc(func() { klog.SetSlogLogger(slog.New(slog.DiscardHandler)) })

func connect(config *rest.Config) (*Cluster, error) {
	quiet()
	config.Timeout = requestTimeout
	config.QPS, config.Burst = queriesPerSecond, 2*queriesPerSecond
	config.WarningHandler = rest.NoWarnings{}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, fmt.Errorf("reading the API server's address %q: %w", config.Host, err)
	}
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", base.Host, err)
	}
	client, err := kubernetes.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", base.Host, err)
	}
	usage, err := metricsapi.NewForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("preparing the connection to %s: %w", base.Host, err)
	}
	c := &Cluster{
		client: client, usage: usage, config: config, http: httpClient, address: base.Host,
		slow: map[string]remembered{},
	}
	c.lookup = c.lookupThrough
	return c, nil
}

// Client is client-go's own.
func (c *Cluster) Client() kubernetes.Interface { return c.client }

// Name is what the kubeconfig calls it.
func (c *Cluster) Name() string { return c.name }

// Address is host:port of the API server.
func (c *Cluster) Address() string { return c.address }

// Run executes a shell script as root on a machine and returns what it printed.
type Run func(ctx context.Context, machine fleet.Machine, script string) (string, error)

// get reads one of the API server's own paths, e.g. /readyz; other statuses than 200 are errors
// that hold the body.
func (c *Cluster) get(ctx context.Context, path string) (body string, header http.Header, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url(path), http.NoBody)
	if err != nil {
		return "", nil, fmt.Errorf("asking the API server for %s: %w", path, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return "", nil, fmt.Errorf("reading %s of the API server: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return string(text), resp.Header, &statusError{Path: path, Code: resp.StatusCode, Body: string(text)}
	}
	return string(text), resp.Header, nil
}

const maxBody = 64 << 20

func (c *Cluster) url(path string) string {
	return strings.TrimSuffix(c.config.Host, "/") + path
}

// statusError is an answer of the API server that is no 200.
type statusError struct {
	Path string
	Code int
	Body string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s answers %d: %s", e.Path, e.Code, firstLine(e.Body))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// remembered is a fact that costs too much to be asked for at each look.
type remembered struct {
	value any
	until time.Time
}

// recall returns the fact of that name, asked anew when it is older than it may be.
func recall[T any](c *Cluster, name string, ask func() (value T, keep time.Duration)) T {
	c.mu.Lock()
	known, ok := c.slow[name]
	c.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		if value, ok := known.value.(T); ok {
			return value
		}
	}
	value, keep := ask()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slow[name] = remembered{value: value, until: time.Now().Add(keep)}
	return value
}
