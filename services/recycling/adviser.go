package recycling

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"

	"github.com/wastecoach/wastecoach/internal/llm"
	"github.com/wastecoach/wastecoach/internal/modelcall"
	"github.com/wastecoach/wastecoach/internal/pipeline"
	"github.com/wastecoach/wastecoach/services/recycling/rulebase"
)

// askTimeout bounds a question to the model, its repair and the wait for a free slot. It is below
// a task's own limit, so that the rule still can answer.
const askTimeout = 45 * time.Second

// Where advice came from, as adviceMetrics counts it.
const (
	sourceLLM   = "llm"
	sourceCache = "cache"
	sourceRule  = "rule"
)

type adviceMetrics struct {
	advice *prometheus.CounterVec
	cache  *prometheus.CounterVec
	failed *prometheus.CounterVec
}

func newAdviceMetrics(registry prometheus.Registerer) *adviceMetrics {
	m := &adviceMetrics{
		advice: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "recycling_advice_total", Help: "Advice given by where it came from.",
		}, []string{"source"}),
		cache: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "recycling_advice_cache_total", Help: "Look-ups of cached advice: hit, stale, miss or error.",
		}, []string{"result"}),
		failed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "recycling_advice_llm_failures_total",
			Help: "Questions that the rule had to answer, by the kind of the model's failure.",
		}, []string{"kind"}),
	}
	registry.MustRegister(m.advice, m.cache, m.failed)
	return m
}

// waitForFlight is how often it is looked whether another process has the answer.
const waitForFlight = 50 * time.Millisecond

// adviser phrases the rule for an item: from the cache, by the model, or as it stands. The API's
// has no model: it only looks up.
type adviser struct {
	model   llm.Advisor
	cache   *adviceCache
	desk    *desk
	metrics *adviceMetrics
	logger  *slog.Logger
	flights singleflight.Group
}

// question is what a job wants to know.
type question struct {
	// item is the rule as region has it.
	item    rulebase.Item
	region  string
	locale  string
	job     string
	attempt int
	// anew tells that an answer which is not fresh will not do.
	anew bool
}

// advise fails only when ctx ends: without cache and model the rule itself is the answer.
func (a *adviser) advise(ctx context.Context, q question) (pipeline.Advice, error) {
	key, err := a.cache.key(q.item, q.region, q.locale)
	if err != nil {
		return pipeline.Advice{}, err
	}
	if advice, ok := a.lookup(ctx, key, q); ok {
		return advice, nil
	}
	asked := false
	// The call outlives its caller: others may wait for it, and what is paid for goes to the cache.
	flight := a.flights.DoChan(key, func() (any, error) {
		asked = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
		defer cancel()
		return a.fly(ctx, key, q), nil
	})
	select {
	case <-ctx.Done():
		return pipeline.Advice{}, fmt.Errorf("waiting for advice on %s: %w", q.item.ID, context.Cause(ctx))
	case answer := <-flight:
		advice, ok := answer.Val.(pipeline.Advice)
		if !ok {
			return pipeline.Advice{}, fmt.Errorf("asking about %s: no answer: %w", q.item.ID, answer.Err)
		}
		return a.counted(advice, asked), nil
	}
}

// lookup answers from the cache. An answer that is no longer fresh is given all the same, while a
// job of its own asks for the next one.
func (a *adviser) lookup(ctx context.Context, key string, q question) (pipeline.Advice, bool) {
	advice, fresh, err := a.cache.get(ctx, key)
	result := "hit"
	switch {
	case err != nil:
		result = "error"
		a.logger.WarnContext(ctx, "cached advice not read", "error", err)
	case advice == nil || q.anew && !fresh:
		result = "miss"
	case !fresh:
		result = "stale"
		_, err := a.desk.open(ctx, key, wish{ItemID: q.item.ID, Region: q.region, Locale: q.locale})
		if err != nil {
			a.logger.WarnContext(ctx, "stale advice not asked for anew", "error", err)
		}
	}
	a.metrics.cache.WithLabelValues(result).Inc()
	if result == "error" || result == "miss" {
		return pipeline.Advice{}, false
	}
	a.metrics.advice.WithLabelValues(sourceCache).Inc()
	return *advice, true
}

// counted marks and counts advice; asked tells whether this job's own question brought it.
func (a *adviser) counted(advice pipeline.Advice, asked bool) pipeline.Advice {
	source := sourceLLM
	switch {
	case advice.Model == llm.RuleModel:
		source = sourceRule
	case advice.Cached || !asked:
		source, advice.Cached = sourceCache, true
	}
	a.metrics.advice.WithLabelValues(source).Inc()
	return advice
}

// fly asks the model, or takes the answer of the process that is asking it.
func (a *adviser) fly(ctx context.Context, key string, q question) pipeline.Advice {
	ticker := time.NewTicker(waitForFlight)
	defer ticker.Stop()
	for {
		unlock, err := a.cache.lock(ctx, key)
		if err != nil {
			a.logger.WarnContext(ctx, "asking without regard to other processes", "error", err)
			return a.ask(ctx, key, q)
		}
		if unlock != nil {
			return a.lead(ctx, key, q, unlock)
		}
		if advice, fresh, err := a.cache.get(ctx, key); err == nil && fresh {
			return *advice
		}
		select {
		case <-ctx.Done():
			return compose(q, llm.FromRule(phrasing(q)))
		case <-ticker.C:
		}
	}
}

// lead asks for all processes, unless the one that led before has just left an answer.
func (a *adviser) lead(ctx context.Context, key string, q question, unlock func()) pipeline.Advice {
	defer unlock()
	if advice, fresh, err := a.cache.get(ctx, key); err == nil && fresh {
		return *advice
	}
	return a.ask(ctx, key, q)
}

// ask answers with the rule where the model cannot; only a model's answer is cached.
func (a *adviser) ask(ctx context.Context, key string, q question) pipeline.Advice {
	request := phrasing(q)
	said, err := a.model.Advise(ctx, request)
	if err == nil {
		err = checkSteps(said.Steps, q.item.Steps)
	}
	if err != nil {
		kind := modelcall.KindOf(err)
		if kind == "" {
			kind = modelcall.InvalidAnswer
		}
		a.metrics.failed.WithLabelValues(string(kind)).Inc()
		a.logger.WarnContext(ctx, "model gave no advice, the rule answers",
			"item", q.item.ID, "kind", string(kind), "error", err)
		return compose(q, llm.FromRule(request))
	}
	advice := compose(q, said)
	if advice.Model == llm.RuleModel {
		return advice
	}
	if err := a.cache.put(ctx, key, advice); err != nil {
		a.logger.WarnContext(ctx, "advice not cached", "error", err)
	}
	return advice
}

// phrasing is the rule as the model reads it. The parts that vision saw are left out: the cached
// answer is about the item, not about one photo.
func phrasing(q question) llm.AdviceRequest {
	request := llm.AdviceRequest{
		ItemName: q.item.Name.In(q.locale), Class: q.item.Class, Why: q.item.Why.In(q.locale),
		Parts: []string{}, Mistakes: texts(q.item.Mistakes, q.locale),
		Locale: q.locale, Region: q.region, JobID: q.job, Attempt: q.attempt,
	}
	for _, step := range q.item.Steps {
		request.Steps = append(request.Steps,
			llm.Step{ID: step.ID, Text: step.In(q.locale), Optional: step.Optional})
	}
	return request
}

// checkSteps holds the promise that no step is invented, whatever model package is behind.
func checkSteps(said []llm.AdvisedStep, rule []rulebase.Step) error {
	known := map[string]bool{}
	for _, step := range rule {
		known[step.ID] = true
	}
	for _, step := range said {
		if !known[step.ID] {
			return fmt.Errorf("checking advice: step %q is not in the rule", step.ID)
		}
	}
	if len(said) == 0 {
		return fmt.Errorf("checking advice: it has no step")
	}
	return nil
}

// compose takes from the model only what it may phrase; the rest is the rule's own.
func compose(q question, said llm.Advice) pipeline.Advice {
	advice := pipeline.Advice{
		ItemID: q.item.ID, ItemName: q.item.Name.In(q.locale), Class: q.item.Class,
		Summary: said.Summary, Why: said.Why, Mistakes: texts(q.item.Mistakes, q.locale),
		Where: q.item.Where.In(q.locale), Source: q.item.Source(q.locale), Model: said.Model,
	}
	for _, step := range said.Steps {
		advice.Steps = append(advice.Steps, pipeline.Step{ID: step.ID, Text: step.Text})
	}
	return advice
}

func texts(all []rulebase.Text, locale string) []string {
	in := make([]string, 0, len(all))
	for _, text := range all {
		in = append(in, text.In(locale))
	}
	return in
}
