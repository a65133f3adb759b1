package modelcall

import (
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

const (
	breakerWindow = 30 * time.Second
	breakerBucket = 3 * time.Second
	// breakerRatio opens the breaker on a model that fails mostly, but not in a row.
	breakerRatio = 0.6
)

func newBreaker(
	limits Limits, labels Labels, log *slog.Logger,
) *gobreaker.CircuitBreaker[Completion] {
	failures := max(limits.BreakerFailures, 1)
	return gobreaker.NewCircuitBreaker[Completion](gobreaker.Settings{
		Name:         labels.Kind,
		Interval:     breakerWindow,
		BucketPeriod: breakerBucket,
		Timeout:      limits.BreakerOpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			ended := c.TotalSuccesses + c.TotalFailures
			mostly := float64(c.TotalFailures) >= breakerRatio*float64(ended)
			return c.ConsecutiveFailures >= failures || (ended >= 4*failures && mostly)
		},
		IsSuccessful: func(err error) bool { return !blamesModel(KindOf(err)) },
		IsExcluded:   func(err error) bool { return saysNothing(KindOf(err)) },
		OnStateChange: func(name string, from, to gobreaker.State) {
			log.Warn("model breaker changed",
				"kind", name, "model", labels.Model, "from", from.String(), "to", to.String())
		},
	})
}

func blamesModel(kind Kind) bool {
	return kind == Timeout || kind == Unavailable || kind == RateLimited
}

// saysNothing holds for errors that tell nothing about the model's health.
func saysNothing(kind Kind) bool {
	return kind == Canceled || kind == BudgetExceeded || kind == BudgetUnreachable ||
		kind == Misconfigured
}
