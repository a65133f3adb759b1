package modelcall

import (
	"errors"
	"fmt"
	"time"
)

// Kind names why a model call gave no usable answer.
type Kind string

// The kinds. BudgetUnreachable means that Redis could not say what is left, Canceled that the
// caller gave up: both tell nothing about the model.
const (
	Timeout           Kind = "timeout"
	RateLimited       Kind = "rate_limited"
	Unavailable       Kind = "unavailable"
	InvalidAnswer     Kind = "invalid_answer"
	Refused           Kind = "refused"
	Misconfigured     Kind = "misconfigured"
	BudgetExceeded    Kind = "budget_exceeded"
	BudgetUnreachable Kind = "budget_unreachable"
	BreakerOpen       Kind = "breaker_open"
	Canceled          Kind = "canceled"
)

// Error is what every failed model call returns.
type Error struct {
	Kind Kind
	// Retryable tells whether the same call may succeed later.
	Retryable bool
	// RetryAfter is the shortest sensible wait; zero when nobody said.
	RetryAfter time.Duration
	// Billed tells that the provider may charge for the call although no answer came back.
	Billed bool
	Err    error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("model call: %s", e.Kind)
	}
	return fmt.Sprintf("model call: %s: %v", e.Kind, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the Error in err's chain, or "" when there is none.
func KindOf(err error) Kind {
	var call *Error
	if errors.As(err, &call) {
		return call.Kind
	}
	return ""
}
