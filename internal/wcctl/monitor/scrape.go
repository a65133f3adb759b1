package monitor

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// sample is what one replica's /metrics said, summed up.
type sample struct {
	at, started time.Time
	version     string
	// count and bad are requests and those answered with 5xx, or tasks and those that failed.
	count, bad float64
	took, wait histogram
}

// histogram counts, by upper bound in seconds, all that took no longer.
type histogram map[float64]float64

const maxMetrics = 8 << 20

func scrape(
	ctx context.Context, web *http.Client, r replica, now func() time.Time,
) (sample, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+"/metrics", http.NoBody)
	if err != nil {
		return sample{}, err
	}
	response, err := web.Do(request)
	if err != nil {
		return sample{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return sample{}, fmt.Errorf("/metrics answers %d", response.StatusCode)
	}
	return parseSample(io.LimitReader(response.Body, maxMetrics), r.pool, now())
}

// parseSample reads the text format of Prometheus.
func parseSample(text io.Reader, pool string, at time.Time) (sample, error) {
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return sample{}, fmt.Errorf("reading /metrics: %w", err)
	}
	s := sample{at: at, took: histogram{}, wait: histogram{}}
	for _, m := range families["process_start_time_seconds"].GetMetric() {
		s.started = time.UnixMilli(int64(m.GetGauge().GetValue() * 1000))
	}
	for _, m := range families["wastecoach_build_info"].GetMetric() {
		s.version = cmp.Or(label(m, "version"), fmt.Sprintf("%.12s", label(m, "revision")))
	}
	if queue, isWorker := strings.CutSuffix(pool, workerSuffix); isWorker {
		s.tasks(families, queue)
	} else {
		s.requests(families, strings.ReplaceAll(pool, "-", "_"))
	}
	return s, nil
}

func (s *sample) tasks(families map[string]*dto.MetricFamily, queue string) {
	for _, m := range families[queue+"_task_run_seconds"].GetMetric() {
		n := float64(m.GetHistogram().GetSampleCount())
		s.count += n
		if label(m, "outcome") != "done" {
			s.bad += n
		}
		s.took.add(m.GetHistogram())
	}
	for _, m := range families[queue+"_task_wait_seconds"].GetMetric() {
		s.wait.add(m.GetHistogram())
	}
}

func (s *sample) requests(families map[string]*dto.MetricFamily, service string) {
	for _, m := range families[service+"_http_requests_total"].GetMetric() {
		if ours(m) {
			continue
		}
		s.count += m.GetCounter().GetValue()
		if strings.HasPrefix(label(m, "status"), "5") {
			s.bad += m.GetCounter().GetValue()
		}
	}
	for _, m := range families[service+"_http_request_seconds"].GetMetric() {
		if !ours(m) {
			s.took.add(m.GetHistogram())
		}
	}
}

// ours tells of requests that no user made: probes, scrapes and this monitor.
func ours(m *dto.Metric) bool {
	route := label(m, "route")
	return route == "/metrics" || route == "/healthz" || route == "/readyz" ||
		strings.HasPrefix(route, "/internal/operator")
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// add takes the buckets of the text format, whose last one holds all.
func (h histogram) add(o *dto.Histogram) {
	for _, b := range o.GetBucket() {
		h[b.GetUpperBound()] += float64(b.GetCumulativeCount())
	}
}

func (h histogram) plus(o histogram) histogram { return h.with(o, 1) }

func (h histogram) minus(o histogram) histogram { return h.with(o, -1) }

func (h histogram) with(o histogram, sign float64) histogram {
	sum := maps.Clone(h)
	if sum == nil {
		sum = histogram{}
	}
	for bound, n := range o {
		sum[bound] += sign * n
	}
	return sum
}

// since is what changed between the newest of the samples, which is s, and the one a window before; or
// since the process began, where there is none. Where they do not reach that far back and nothing was
// measured between them, durations are those since the process began.
func (s sample) since(list []sample, window time.Duration) lately {
	base := sample{at: s.started}
	for _, earlier := range slices.Backward(list[:len(list)-1]) {
		if !earlier.started.Equal(s.started) {
			break // another process had the name
		}
		base = earlier
		if s.at.Sub(earlier.at) >= window {
			break
		}
	}
	seconds := s.at.Sub(base.at).Seconds()
	if seconds <= 0 {
		return lately{}
	}
	l := lately{
		rate: max(0, s.count-base.count) / seconds, bad: max(0, s.bad-base.bad) / seconds,
		took: s.took.minus(base.took), wait: s.wait.minus(base.wait),
	}
	if s.at.Sub(base.at) < window {
		l.took, l.wait = l.took.or(s.took), l.wait.or(s.wait)
	}
	return l
}

// or is another histogram where this one is empty.
func (h histogram) or(o histogram) histogram {
	if h[math.Inf(1)] > 0 {
		return h
	}
	return o
}

func (h histogram) latency() Latency {
	return Latency{P50: h.quantile(.5), P95: h.quantile(.95)}
}

// quantile interpolates within a bucket, as Prometheus does; what is beyond the last bound counts as it.
func (h histogram) quantile(q float64) time.Duration {
	total := h[math.Inf(1)]
	if total <= 0 {
		return 0
	}
	wanted := q * total
	var bound, below float64
	for _, upper := range slices.Sorted(maps.Keys(h)) {
		if math.IsInf(upper, 1) {
			break
		}
		if upTo := h[upper]; upTo >= wanted {
			part := (wanted - below) / max(upTo-below, 1e-9)
			return seconds(bound + (upper-bound)*part)
		}
		bound, below = upper, h[upper]
	}
	return seconds(bound)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
