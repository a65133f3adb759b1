package modelcall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

const settleTimeout = 2 * time.Second

// Limits bounds what one process may do to a model.
type Limits struct {
	// Timeout bounds one try, Concurrency the tries in flight.
	Timeout     time.Duration
	Concurrency int
	// BreakerFailures in a row open the breaker for BreakerOpenFor.
	BreakerFailures uint32
	BreakerOpenFor  time.Duration
	// MaxOutputTokens and Price give the amount reserved from the budget before a try.
	MaxOutputTokens int64
	Price           Price
}

// Guard is a Model that puts a limit, a breaker, a budget, a timeout and metrics around another.
type Guard struct {
	model   Model
	limits  Limits
	budget  Budget
	metrics *Metrics
	labels  Labels
	log     *slog.Logger
	slots   chan struct{}
	breaker *gobreaker.CircuitBreaker[Completion]
}

// NewGuard wraps model; labels name it in metrics. A nil budget means no daily limit.
func NewGuard(
	model Model, limits Limits, budget Budget, metrics *Metrics, labels Labels, log *slog.Logger,
) *Guard {
	if budget == nil {
		budget = unlimited{}
	}
	return &Guard{
		model:   model,
		limits:  limits,
		budget:  budget,
		metrics: metrics,
		labels:  labels,
		log:     log,
		slots:   make(chan struct{}, max(limits.Concurrency, 1)),
		breaker: newBreaker(limits, labels, log),
	}
}

// Complete makes one guarded try; every error is an *Error.
func (g *Guard) Complete(ctx context.Context, p Prompt) (Completion, error) {
	completion, err := g.admit(ctx, p)
	g.metrics.called(g.labels, KindOf(err))
	return completion, err
}

func (g *Guard) admit(ctx context.Context, p Prompt) (Completion, error) {
	select {
	case g.slots <- struct{}{}:
		defer func() { <-g.slots }()
	case <-ctx.Done():
		return Completion{}, &Error{Kind: Canceled, Retryable: true, Err: ctx.Err()}
	}
	completion, err := g.breaker.Execute(func() (Completion, error) { return g.pay(ctx, p) })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = &Error{
			Kind: BreakerOpen, Retryable: true, RetryAfter: g.limits.BreakerOpenFor, Err: err,
		}
	}
	return completion, err
}

func (g *Guard) pay(ctx context.Context, p Prompt) (Completion, error) {
	estimate := g.estimate(p)
	settle, err := g.budget.Reserve(ctx, estimate)
	if err != nil {
		return Completion{}, reserveError(ctx, err)
	}
	completion, err := g.try(ctx, p)
	completion.Usage.CostMicroUSD = g.cost(completion.Usage, estimate, err)
	g.metrics.paid(g.labels, completion.Usage)

	settling, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	if settleErr := settle(settling, completion.Usage.CostMicroUSD); settleErr != nil {
		// The reservation stays: the day's budget is then tighter than it need be, never looser.
		g.log.WarnContext(ctx, "model budget not settled", "error", settleErr)
	}
	return completion, err
}

func (g *Guard) try(ctx context.Context, p Prompt) (Completion, error) {
	trying, cancel := context.WithTimeout(ctx, g.limits.Timeout)
	defer cancel()
	started := time.Now()
	completion, err := g.model.Complete(trying, p)
	completion.Usage.InputTokens = max(completion.Usage.InputTokens, 0)
	completion.Usage.OutputTokens = max(completion.Usage.OutputTokens, 0)
	g.metrics.took(g.labels, time.Since(started))
	return completion, classify(ctx, err)
}

func classify(ctx context.Context, err error) error {
	var call *Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return &Error{Kind: Canceled, Retryable: true, Billed: true, Err: err}
	case errors.As(err, &call):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Timeout, Retryable: true, Billed: true, Err: err}
	default:
		return &Error{Kind: Unavailable, Retryable: true, Err: err}
	}
}

func reserveError(ctx context.Context, err error) error {
	var call *Error
	if errors.As(err, &call) {
		return err
	}
	err = fmt.Errorf("reserving budget: %w", err)
	if ctx.Err() != nil {
		return &Error{Kind: Canceled, Retryable: true, Err: err}
	}
	return &Error{Kind: BudgetUnreachable, Retryable: true, Err: err}
}
