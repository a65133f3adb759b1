// Package problem turns errors into RFC 9457 problem documents.
package problem

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Kind decides the HTTP status of an error.
type Kind int

// The kinds, one for each status that the API answers with.
const (
	Internal        Kind = http.StatusInternalServerError
	Malformed       Kind = http.StatusBadRequest
	Unauthorized    Kind = http.StatusUnauthorized
	Forbidden       Kind = http.StatusForbidden
	NotFound        Kind = http.StatusNotFound
	Conflict        Kind = http.StatusConflict
	Gone            Kind = http.StatusGone
	TooLarge        Kind = http.StatusRequestEntityTooLarge
	UnsupportedType Kind = http.StatusUnsupportedMediaType
	Invalid         Kind = http.StatusUnprocessableEntity
	RateLimited     Kind = http.StatusTooManyRequests
	Unavailable     Kind = http.StatusServiceUnavailable
)

// Field names one faulty part of a request by its JSON pointer.
type Field struct {
	Pointer string `json:"pointer"`
	Code    string `json:"code"`
	Detail  string `json:"detail"`
}

// Error is an error that the client may see. Two errors with one code are the same to errors.Is.
type Error struct {
	Kind       Kind
	Code       string
	Detail     string
	Fields     []Field
	RetryAfter time.Duration
	// Retryable tells the client that the same request may succeed later.
	Retryable bool
	cause     error
}

// New makes an error with a stable code and a sentence for people.
func New(kind Kind, code, detail string) *Error {
	return &Error{
		Kind: kind, Code: code, Detail: detail,
		Retryable: kind == RateLimited || kind == Unavailable,
	}
}

// Error implements error.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("%s: %s: %v", e.Code, e.Detail, e.cause)
	}
	return e.Code + ": " + e.Detail
}

// Unwrap returns the cause, which only the log sees.
func (e *Error) Unwrap() error { return e.cause }

// Is compares by code, so that a detailed copy still is its sentinel.
func (e *Error) Is(target error) bool {
	var other *Error
	return errors.As(target, &other) && other.Code == e.Code
}

// Because returns a copy with a cause for the log.
func (e *Error) Because(cause error) *Error {
	clone := *e
	clone.cause = cause
	return &clone
}

// Detailf returns a copy with another sentence for people.
func (e *Error) Detailf(format string, args ...any) *Error {
	clone := *e
	clone.Detail = fmt.Sprintf(format, args...)
	return &clone
}

// WithFields returns a copy that names the faulty parts of the request.
func (e *Error) WithFields(fields ...Field) *Error {
	clone := *e
	clone.Fields = fields
	return &clone
}

// After returns a retryable copy that tells the client when to come back.
func (e *Error) After(d time.Duration) *Error {
	clone := *e
	clone.RetryAfter, clone.Retryable = d, true
	return &clone
}

// Document is the body of an application/problem+json answer.
type Document struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	Instance  string  `json:"instance,omitempty"`
	Code      string  `json:"code"`
	RequestID string  `json:"request_id,omitempty"`
	Retryable bool    `json:"retryable"`
	Errors    []Field `json:"errors,omitempty"`
}

// ContentType is the media type of a Document.
const ContentType = "application/problem+json"

var errInternal = New(Internal, "internal", "Something went wrong on our side.")

// From finds the Error in err; anything else is an internal error that tells the client nothing.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return errInternal.Because(err)
}

// Document renders e without its cause.
func (e *Error) Document() Document {
	return Document{
		Type:      "urn:wastecoach:problem:" + e.Code,
		Title:     http.StatusText(int(e.Kind)),
		Status:    int(e.Kind),
		Detail:    e.Detail,
		Code:      e.Code,
		Retryable: e.Retryable,
		Errors:    e.Fields,
	}
}
