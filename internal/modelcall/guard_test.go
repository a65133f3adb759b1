package modelcall_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/wastecoach/wastecoach/internal/modelcall"
)

type modelFunc func(context.Context, modelcall.Prompt) (modelcall.Completion, error)

func (f modelFunc) Complete(
	ctx context.Context, p modelcall.Prompt,
) (modelcall.Completion, error) {
	return f(ctx, p)
}

var errDown = &modelcall.Error{Kind: modelcall.Unavailable, Retryable: true}

func limits() modelcall.Limits {
	return modelcall.Limits{
		Timeout: 20 * time.Second, Concurrency: 3,
		BreakerFailures: 3, BreakerOpenFor: 10 * time.Second,
		MaxOutputTokens: 100, Price: modelcall.Price{Input: 1, Output: 10},
	}
}

func newGuard(
	t *testing.T, model modelFunc, limits modelcall.Limits, budget modelcall.Budget,
) (*modelcall.Guard, *prometheus.Registry) {
	t.Helper()
	registry := prometheus.NewRegistry()
	metrics, err := modelcall.NewMetrics(registry)
	if err != nil {
		t.Fatal(err)
	}
	labels := modelcall.Labels{Model: "m", Kind: "vision"}
	log := slog.New(slog.DiscardHandler)
	return modelcall.NewGuard(model, limits, budget, metrics, labels, log), registry
}

func kinds(ctx context.Context, guard *modelcall.Guard, calls int) []modelcall.Kind {
	var got []modelcall.Kind
	for range calls {
		_, err := guard.Complete(ctx, modelcall.Prompt{})
		got = append(got, modelcall.KindOf(err))
	}
	return got
}

func TestBreakerOpensAndCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		var tries atomic.Int32
		down.Store(true)
		model := func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
			tries.Add(1)
			if down.Load() {
				return modelcall.Completion{}, errDown
			}
			return modelcall.Completion{Text: "{}"}, nil
		}
		guard, _ := newGuard(t, model, limits(), nil)

		got := kinds(t.Context(), guard, 5)
		if got[2] != modelcall.Unavailable || got[3] != modelcall.BreakerOpen {
			t.Fatalf("kinds = %v, want the breaker open from the fourth call", got)
		}
		if tries.Load() != 3 {
			t.Errorf("tries = %d, want 3: an open breaker must not reach the model", tries.Load())
		}
		_, err := guard.Complete(t.Context(), modelcall.Prompt{})
		var call *modelcall.Error
		if !errors.As(err, &call) || !call.Retryable || call.RetryAfter != 10*time.Second {
			t.Errorf("open breaker says %+v, want retryable after 10 s", call)
		}

		<-time.After(11 * time.Second)
		if got := kinds(t.Context(), guard, 2); got[0] != modelcall.Unavailable ||
			got[1] != modelcall.BreakerOpen {
			t.Errorf("half-open with a sick model: %v, want one try, then open again", got)
		}

		down.Store(false)
		<-time.After(11 * time.Second)
		if got := kinds(t.Context(), guard, 3); got[0] != "" || got[1] != "" || got[2] != "" {
			t.Errorf("half-open with a well model: %v, want the breaker closed", got)
		}
	})
}

func TestBreakerIgnoresWhatDoesNotBlameTheModel(t *testing.T) {
	t.Parallel()
	for _, kind := range []modelcall.Kind{
		modelcall.InvalidAnswer, modelcall.Refused, modelcall.Misconfigured,
		modelcall.BudgetExceeded, modelcall.BudgetUnreachable,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			guard, _ := newGuard(t,
				func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
					return modelcall.Completion{}, &modelcall.Error{Kind: kind}
				}, limits(), nil)
			for i, got := range kinds(t.Context(), guard, 50) {
				if got != kind {
					t.Fatalf("call %d: %q, want %q", i, got, kind)
				}
			}
		})
	}
}

func TestTimeoutBoundsATry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		guard, _ := newGuard(t, hang, limits(), nil)
		started := time.Now()
		_, err := guard.Complete(t.Context(), modelcall.Prompt{})
		if modelcall.KindOf(err) != modelcall.Timeout || time.Since(started) != 20*time.Second {
			t.Errorf("got %v after %v, want timeout after 20 s", err, time.Since(started))
		}
	})
}

func TestCallerGivingUpIsNotTheModelsFault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		guard, _ := newGuard(t, hang, limits(), nil)
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := guard.Complete(ctx, modelcall.Prompt{})
			cancel()
			if modelcall.KindOf(err) != modelcall.Canceled {
				t.Fatalf("got %v, want canceled", err)
			}
		}
	})
}

func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var active, peak atomic.Int32
		model := func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
			now := active.Add(1)
			defer active.Add(-1)
			for seen := peak.Load(); now > seen && !peak.CompareAndSwap(seen, now); {
				seen = peak.Load()
			}
			<-time.After(time.Second)
			return modelcall.Completion{Text: "{}"}, nil
		}
		guard, _ := newGuard(t, model, limits(), nil)
		started := time.Now()
		var group sync.WaitGroup
		for range 9 {
			group.Go(func() { _, _ = guard.Complete(t.Context(), modelcall.Prompt{}) })
		}
		group.Wait()
		if peak.Load() != 3 || time.Since(started) != 3*time.Second {
			t.Errorf("peak %d in %v, want 3 at a time for 3 s", peak.Load(), time.Since(started))
		}
	})
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	answer, failure := modelcall.Completion{Text: "{}"}, error(nil)
	guard, registry := newGuard(t,
		func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
			return answer, failure
		}, limits(), nil)
	answer.Usage = modelcall.Usage{InputTokens: 7, OutputTokens: 2}
	got, err := guard.Complete(t.Context(), modelcall.Prompt{})
	if err != nil || got.Usage.CostMicroUSD != 27 {
		t.Fatalf("cost %d, error %v; want 7×1 + 2×10 = 27", got.Usage.CostMicroUSD, err)
	}
	answer, failure = modelcall.Completion{}, errDown
	_, _ = guard.Complete(t.Context(), modelcall.Prompt{})

	want, err := os.ReadFile("testdata/metrics.prom")
	if err != nil {
		t.Fatal(err)
	}
	page := scrape(t, registry)
	for line := range strings.Lines(string(want)) {
		if !strings.Contains(page, line) {
			t.Errorf("metrics lack %s", line)
		}
	}
}

func scrape(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	promhttp.HandlerFor(registry, promhttp.HandlerOpts{}).ServeHTTP(recorder, request)
	return recorder.Body.String()
}

func TestGuardsShareARegistry(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	for range 2 {
		if _, err := modelcall.NewMetrics(registry); err != nil {
			t.Fatal(err)
		}
	}
}

func hang(ctx context.Context, _ modelcall.Prompt) (modelcall.Completion, error) {
	<-ctx.Done()
	return modelcall.Completion{}, ctx.Err()
}

func TestBreakerSeesThroughWhatSaysNothing(t *testing.T) {
	t.Parallel()
	for kind, want := range map[modelcall.Kind]modelcall.Kind{
		modelcall.Misconfigured:     modelcall.BreakerOpen,
		modelcall.BudgetExceeded:    modelcall.BreakerOpen,
		modelcall.BudgetUnreachable: modelcall.BreakerOpen,
		modelcall.Canceled:          modelcall.BreakerOpen,
		// An answer, however bad, shows that the model is there.
		modelcall.InvalidAnswer: modelcall.Unavailable,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			calls := 0
			model := func(context.Context, modelcall.Prompt) (modelcall.Completion, error) {
				calls++
				if calls%2 == 0 {
					return modelcall.Completion{}, &modelcall.Error{Kind: kind}
				}
				return modelcall.Completion{}, errDown
			}
			guard, _ := newGuard(t, model, limits(), nil)
			_ = kinds(t.Context(), guard, 6)
			if got := kinds(t.Context(), guard, 1)[0]; got != want {
				t.Errorf("after three outages with %s between: %q, want %q", kind, got, want)
			}
		})
	}
}
