package auth

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/problem"
)

type metrics struct {
	logins    *prometheus.CounterVec
	refreshes *prometheus.CounterVec
}

func newMetrics(registry *prometheus.Registry) *metrics {
	m := &metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "auth", Name: "logins_total",
			Help: "Ends of logins by provider and result: ok or the problem's code.",
		}, []string{"provider", "result"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "auth", Name: "refreshes_total",
			Help: "Refresh tokens by what became of them: rotated, replayed, revoked, gone, unknown.",
		}, []string{"result"}),
	}
	registry.MustRegister(m.logins, m.refreshes)
	return m
}

func (m *metrics) login(provider string, err error) {
	result := "ok"
	if err != nil {
		result = problem.From(err).Code
	}
	m.logins.WithLabelValues(provider, result).Inc()
}

func (m *metrics) refresh(result string) { m.refreshes.WithLabelValues(result).Inc() }
