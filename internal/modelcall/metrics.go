package modelcall

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Labels name a model in metrics; Kind is what it is used for.
type Labels struct {
	Model string
	Kind  string
}

// Metrics counts calls, time, tokens and money.
type Metrics struct {
	calls    *prometheus.CounterVec
	invalids *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	cost     *prometheus.CounterVec
	tokens   *prometheus.CounterVec
}

// NewMetrics registers the metrics, or joins those that reg already has.
func NewMetrics(reg prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "model_calls_total", Help: "Model calls by outcome: ok or the kind of error.",
		}, []string{"model", "kind", "outcome"}),
		invalids: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "model_invalid_answers_total", Help: "Answers that broke their schema or rule.",
		}, []string{"model", "kind"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "model_call_seconds", Help: "Time of one try on the wire.",
			Buckets: []float64{.1, .25, .5, 1, 1.5, 2, 3, 5, 8, 13, 21, 34},
		}, []string{"model", "kind"}),
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "model_cost_micro_usd_total", Help: "Spending in millionths of a US dollar.",
		}, []string{"model", "kind"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "model_tokens_total", Help: "Tokens by direction: input or output.",
		}, []string{"model", "kind", "direction"}),
	}
	err := errors.Join(
		register(reg, &m.calls), register(reg, &m.invalids), register(reg, &m.seconds),
		register(reg, &m.cost), register(reg, &m.tokens))
	if err != nil {
		return nil, fmt.Errorf("registering model metrics: %w", err)
	}
	return m, nil
}

// register swaps in the existing collector: one process may hold several guards.
func register[C prometheus.Collector](reg prometheus.Registerer, collector *C) error {
	err := reg.Register(*collector)
	var taken prometheus.AlreadyRegisteredError
	if !errors.As(err, &taken) {
		return err
	}
	existing, ok := taken.ExistingCollector.(C)
	if !ok {
		return err
	}
	*collector = existing
	return nil
}

func (m *Metrics) called(l Labels, kind Kind) {
	outcome := string(kind)
	if outcome == "" {
		outcome = "ok"
	}
	m.calls.WithLabelValues(l.Model, l.Kind, outcome).Inc()
}

func (m *Metrics) invalid(l Labels) { m.invalids.WithLabelValues(l.Model, l.Kind).Inc() }

func (m *Metrics) took(l Labels, d time.Duration) {
	m.seconds.WithLabelValues(l.Model, l.Kind).Observe(d.Seconds())
}

func (m *Metrics) paid(l Labels, used Usage) {
	m.cost.WithLabelValues(l.Model, l.Kind).Add(float64(used.CostMicroUSD))
	m.tokens.WithLabelValues(l.Model, l.Kind, "input").Add(float64(used.InputTokens))
	m.tokens.WithLabelValues(l.Model, l.Kind, "output").Add(float64(used.OutputTokens))
}
