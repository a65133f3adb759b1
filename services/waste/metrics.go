package waste

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wastecoach/wastecoach/internal/vision"
)

type metrics struct {
	jobs         *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	pickup       prometheus.Histogram
	lookups      *prometheus.CounterVec
	redispatched *prometheus.CounterVec
	verdicts     *prometheus.CounterVec
	feedback     *prometheus.CounterVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	buckets := []float64{.05, .1, .25, .5, 1, 2, 3, 5, 10, 30, 60}
	m := &metrics{
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waste_jobs_finished_total", Help: "Jobs by their end.",
		}, []string{"status", "cached"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "waste_job_seconds", Help: "From created to finished.", Buckets: buckets,
		}, []string{"status", "cached"}),
		pickup: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "waste_job_pickup_seconds", Help: "From created to first claimed.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 5, 30},
		}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waste_image_cache_lookups_total", Help: "Lookups of photos by kind and outcome.",
		}, []string{"kind", "outcome"}),
		redispatched: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waste_jobs_redispatched_total", Help: "Jobs that the reconciler moved on.",
		}, []string{"reason"}),
		verdicts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waste_verdicts_total",
			Help: "Photos looked at, by the model that answered and whether it was sure.",
		}, []string{"model", "sure"}),
		feedback: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "waste_feedback_total",
			Help: "Users' words on answers, by the model that had answered: right or wrong.",
		}, []string{"model", "verdict"}),
	}
	registry.MustRegister(m.jobs, m.seconds, m.pickup, m.lookups, m.redispatched, m.verdicts, m.feedback)
	return m
}

func (m *metrics) finished(a *Analysis, cached bool) {
	labels := []string{string(a.Status), strconv.FormatBool(cached)}
	m.jobs.WithLabelValues(labels...).Inc()
	if a.FinishedAt != nil {
		m.seconds.WithLabelValues(labels...).Observe(a.FinishedAt.Sub(a.CreatedAt).Seconds())
	}
}

func (m *metrics) claimed(a *Analysis) {
	if a.Attempt == 1 && a.StartedAt != nil {
		m.pickup.Observe(max(0, a.StartedAt.Sub(a.CreatedAt).Seconds()))
	}
}

func (m *metrics) recognized(v *vision.Verdict) {
	m.verdicts.WithLabelValues(v.Model, strconv.FormatBool(!v.Unsure)).Inc()
}

func (m *metrics) judged(v *vision.Verdict, right bool) {
	verdict := "wrong"
	if right {
		verdict = "right"
	}
	m.feedback.WithLabelValues(v.Model, verdict).Inc()
}

func (m *metrics) lookup(kind string, hit bool) {
	outcome := "miss"
	if hit {
		outcome = "hit"
	}
	m.lookups.WithLabelValues(kind, outcome).Inc()
}
