package modelprovider

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/chatmodel"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/simulator"
)

// Deps are what a model needs from its process.
type Deps struct {
	Log        *slog.Logger
	Registerer prometheus.Registerer
	// Redis holds the daily budget; it may be nil when no budget is set.
	Redis *redis.Client
	// Transport carries the requests, for tracing; nil is a transport sized for the concurrency.
	Transport http.RoundTripper
	// Now is the budget's clock; nil is time.Now.
	Now func() time.Time
}

// New returns the guarded model that cfg names; kind ("vision", "llm") labels budget and metrics.
func New(cfg Config, deps Deps, kind string) (*modelcall.Guard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	model, err := choose(cfg, deps)
	if err != nil {
		return nil, err
	}
	return Guard(model, cfg, deps, kind)
}

// Guard puts cfg's limits around a model that is at hand.
func Guard(model modelcall.Model, cfg Config, deps Deps, kind string) (*modelcall.Guard, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	budget, err := newBudget(cfg, deps, kind)
	if err != nil {
		return nil, err
	}
	metrics, err := modelcall.NewMetrics(deps.Registerer)
	if err != nil {
		return nil, err
	}
	labels := modelcall.Labels{Model: cfg.ModelName(), Kind: kind}
	return modelcall.NewGuard(model, cfg.limits(), budget, metrics, labels, deps.Log), nil
}

func choose(cfg Config, deps Deps) (modelcall.Model, error) {
	switch cfg.Provider {
	case Simulator:
		return simulator.New(cfg.Simulator), nil
	case OpenAI:
		endpoint := cfg.endpoint()
		endpoint.Transport = deps.Transport
		if endpoint.Transport == nil {
			endpoint.Transport = newTransport(cfg.Concurrency)
		}
		return chatmodel.New(endpoint)
	default:
		return nil, fmt.Errorf("model provider %q gives no model", cfg.Provider)
	}
}

// newTransport keeps a connection per try: the default of two would reopen TLS all the time.
func newTransport(concurrency int) http.RoundTripper {
	transport, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport
	}
	transport = transport.Clone()
	transport.MaxIdleConnsPerHost = concurrency
	return transport
}

func newBudget(cfg Config, deps Deps, kind string) (modelcall.Budget, error) {
	if cfg.Provider != OpenAI || cfg.DailyBudgetMicroUSD == 0 {
		return nil, nil //nolint:nilnil // a guard reads no budget as no limit
	}
	if cfg.InputPrice == 0 && cfg.OutputPrice == 0 {
		deps.Log.Warn("model has no price, its daily budget cannot bind", "kind", kind)
		return nil, nil //nolint:nilnil // as above
	}
	if deps.Redis == nil {
		return nil, errors.New("a model budget needs Redis")
	}
	now := deps.Now
	if now == nil {
		now = time.Now
	}
	return modelcall.NewRedisBudget(deps.Redis, kind, cfg.DailyBudgetMicroUSD, now), nil
}
