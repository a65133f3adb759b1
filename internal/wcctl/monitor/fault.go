package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/wastecoach/wastecoach/internal/operator"
)

// faultOf tells people why a part is old.
func faultOf(err error, readAt time.Time) Fault {
	return Fault{Message: Explain(err), Hint: HintOf(err), ReadAt: readAt}
}

// HintOf is the command that may help, or empty.
func HintOf(err error) string {
	var t interface{ Hint() string }
	if errors.As(err, &t) {
		return t.Hint()
	}
	return ""
}

// Explain words an error in one line.
func Explain(err error) string {
	var (
		refused *operator.RefusedError
		op      *net.OpError
	)
	var t *trouble
	switch {
	case errors.As(err, &t) && (t.cause == nil || errors.Is(t.cause, ErrNotRunning)):
		return t.message
	case errors.As(err, &t):
		return t.message + ": " + Explain(t.cause)
	case errors.As(err, &refused) && refused.Code == "internal_token_refused":
		return "the waste service does not know our token"
	case errors.As(err, &refused):
		return "the waste service: " + refused.Detail
	case errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &op) && op.Addr != nil:
		return "nobody listens at " + op.Addr.String()
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return strings.Join(strings.Fields(strings.ReplaceAll(err.Error(), "\n", "; ")), " ")
}

// unreachable tells that a question did not get through, so that another one may be asked.
func unreachable(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial" || errors.Is(err, io.EOF) ||
		errors.Is(err, syscall.ECONNRESET)
}

// Passing tells of an error that may pass by itself: the system was away, not unwilling.
func Passing(err error) bool {
	var refused *operator.RefusedError
	if errors.As(err, &refused) {
		return refused.Retryable
	}
	var op *net.OpError
	return errors.Is(err, ErrNotRunning) || errors.As(err, &op) || errors.Is(err, io.EOF) ||
		errors.Is(err, context.DeadlineExceeded)
}

// trouble is an error in words for people.
type trouble struct {
	message string
	hint    string
	cause   error
}

func (t *trouble) Error() string {
	if t.cause == nil {
		return t.message
	}
	return fmt.Sprintf("%s: %v", t.message, t.cause)
}

func (t *trouble) Unwrap() error { return t.cause }

// Hint is a command to paste; it may be empty.
func (t *trouble) Hint() string { return t.hint }
