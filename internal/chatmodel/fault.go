package chatmodel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/openai/openai-go/v3"

	"github.com/wastecoach/wastecoach/internal/modelcall"
)

// maxRetryAfter keeps a wrong header from parking a job for days.
const maxRetryAfter = time.Hour

// fault turns what the SDK returned into a typed error. The status comes from the response because
// the SDK loses it when an error's body is not JSON, as with a proxy's 502 page.
func fault(ctx context.Context, response *http.Response, err error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("waiting for the model: %w", ctx.Err())
	case response == nil:
		return &modelcall.Error{Kind: modelcall.Unavailable, Retryable: true, Err: err}
	case response.StatusCode >= http.StatusMultipleChoices:
		return statusFault(response, err)
	default:
		// The endpoint took the request, so it may charge for an answer that was cut or is no JSON.
		return &modelcall.Error{
			Kind: modelcall.Unavailable, Retryable: true, Billed: true, Err: err,
		}
	}
}

func statusFault(response *http.Response, err error) error {
	call := &modelcall.Error{Kind: modelcall.Misconfigured, Err: detail(response, err)}
	status := response.StatusCode
	switch {
	case status == http.StatusTooManyRequests:
		call.Kind, call.Retryable = modelcall.RateLimited, true
	case status == http.StatusRequestTimeout, status == http.StatusConflict,
		status >= http.StatusInternalServerError:
		call.Kind, call.Retryable = modelcall.Unavailable, true
	case refuses(err):
		call.Kind = modelcall.Refused
	}
	if call.Retryable {
		call.RetryAfter = retryAfter(response.Header, time.Now())
	}
	return call
}

// detail names the provider's code but not its message, which may quote the key or the prompt.
func detail(response *http.Response, err error) error {
	var api *openai.Error
	if errors.As(err, &api) && api.Code != "" {
		return fmt.Errorf("status %d, code %q", response.StatusCode, api.Code)
	}
	return fmt.Errorf("status %d", response.StatusCode)
}

func refuses(err error) bool {
	var api *openai.Error
	if !errors.As(err, &api) {
		return false
	}
	return api.Code == "content_filter" || api.Code == "content_policy_violation"
}

// retryAfter reads Retry-After in seconds or as a date, and OpenAI's finer header.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(header.Get("Retry-After-Ms"), 64); err == nil {
		return bounded(ms * float64(time.Millisecond))
	}
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(text, 64); err == nil {
		return bounded(seconds * float64(time.Second))
	}
	if date, err := http.ParseTime(text); err == nil {
		return bounded(float64(date.Sub(now)))
	}
	return 0
}

func bounded(nanoseconds float64) time.Duration {
	if nanoseconds > 0 {
		return time.Duration(min(nanoseconds, float64(maxRetryAfter)))
	}
	return 0
}
