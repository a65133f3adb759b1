package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/problem"
)

// ErrLoggedOut means that there is no session, or that the server has ended it.
var ErrLoggedOut = errors.New("not logged in")

// Problem is an error that the server answered with.
type Problem struct {
	problem.Document
	RetryAfter time.Duration
}

// Error implements error.
func (p *Problem) Error() string {
	var text strings.Builder
	text.WriteString(strings.TrimSuffix(p.Detail, "."))
	for i, field := range p.Errors {
		separator := ", "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&text, "%s%s %s", separator, field.Pointer, field.Detail)
	}
	fmt.Fprintf(&text, " (%d %s", p.Status, p.Code)
	if p.RequestID != "" {
		fmt.Fprintf(&text, ", request %s", p.RequestID)
	}
	text.WriteString(")")
	return text.String()
}

// IsStatus tells whether err is a Problem with that HTTP status.
func IsStatus(err error, status int) bool {
	var p *Problem
	return errors.As(err, &p) && p.Status == status
}

// IsCode tells whether err is a Problem with that code.
func IsCode(err error, code string) bool {
	var p *Problem
	return errors.As(err, &p) && p.Code == code
}

func newProblem(got answer) *Problem {
	p := &Problem{RetryAfter: retryAfter(got.header.Get("Retry-After"), time.Now())}
	media, _, _ := mime.ParseMediaType(got.header.Get("Content-Type")) // "" is no problem document
	if media == problem.ContentType {
		_ = json.Unmarshal(got.body, &p.Document) // what is missing is filled in below
	}
	p.Status = got.status
	if p.Code == "" {
		p.Code = "http_" + strconv.Itoa(got.status)
	}
	if p.Detail == "" {
		p.Detail = "The server answered " + strings.TrimSpace(
			strconv.Itoa(got.status)+" "+http.StatusText(got.status))
	}
	if p.RequestID == "" {
		p.RequestID = got.header.Get("X-Request-Id")
	}
	return p
}

// retryAfter reads both forms of RFC 9110: seconds and a date.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(value); err == nil {
		return max(0, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// Unreachable means that no whole answer came back.
type Unreachable struct {
	// Address is scheme and host.
	Address string
	Err     error
}

// Error implements error.
func (u *Unreachable) Error() string {
	var op *net.OpError
	if errors.As(u.Err, &op) {
		return fmt.Sprintf("reaching %s: %v", u.Address, op.Err)
	}
	return fmt.Sprintf("reaching %s: %v", u.Address, u.Err)
}

// Unwrap returns the cause.
func (u *Unreachable) Unwrap() error { return u.Err }

// unreachable leaves the whole address out: a presigned one would let whoever reads it upload.
func unreachable(req *http.Request, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	if ctxErr := req.Context().Err(); ctxErr != nil {
		return ctxErr
	}
	return &Unreachable{Address: req.URL.Scheme + "://" + req.URL.Host, Err: err}
}
