package problem_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/problem"
)

var (
	errMissing = problem.New(problem.NotFound, "thing_not_found", "There is no such thing.")
	errOther   = problem.New(problem.NotFound, "other_not_found", "There is no other thing.")
)

func TestCopiesAreStillTheirSentinel(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	field := problem.Field{Pointer: "/a", Code: "missing", Detail: "is needed"}
	for name, err := range map[string]error{
		"itself":  errMissing,
		"cause":   errMissing.Because(cause),
		"detail":  errMissing.Detailf("No thing %d.", 7),
		"fields":  errMissing.WithFields(field),
		"after":   errMissing.After(time.Second),
		"wrapped": fmt.Errorf("reading: %w", errMissing.Because(cause)),
	} {
		if !errors.Is(err, errMissing) || errors.Is(err, errOther) {
			t.Errorf("%s: %v is another error", name, err)
		}
	}
	if !errors.Is(errMissing.Because(cause), cause) {
		t.Error("the cause is lost")
	}
	if errMissing.Detail != "There is no such thing." || errMissing.Fields != nil || errMissing.Retryable ||
		errMissing.RetryAfter != 0 || errMissing.Unwrap() != nil {
		t.Errorf("a copy changed the sentinel: %+v", errMissing)
	}
}

func TestFrom(t *testing.T) {
	t.Parallel()
	secret := errors.New("secret")
	if e := problem.From(fmt.Errorf("reading: %w", errMissing)); e != errMissing {
		t.Errorf("got %v", e)
	}
	e := problem.From(secret)
	body, err := json.Marshal(e.Document())
	if err != nil || e.Kind != problem.Internal || strings.Contains(string(body), "secret") {
		t.Errorf("the client sees %s, %v", body, err)
	}
	if !errors.Is(e, secret) || !strings.Contains(e.Error(), "secret") {
		t.Errorf("the log sees %v", e)
	}
}

func TestDocument(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  *problem.Error
		want string
	}{
		"plain": {errMissing, `{"type":"urn:wastecoach:problem:thing_not_found","title":"Not Found",` +
			`"status":404,"detail":"There is no such thing.","code":"thing_not_found","retryable":false}`},
		"fields": {
			problem.New(problem.Invalid, "invalid", "No.").
				WithFields(problem.Field{Pointer: "/a", Code: "missing", Detail: "is needed"}),
			`{"type":"urn:wastecoach:problem:invalid","title":"Unprocessable Entity","status":422,` +
				`"detail":"No.","code":"invalid","retryable":false,` +
				`"errors":[{"pointer":"/a","code":"missing","detail":"is needed"}]}`,
		},
		"busy": {
			problem.New(problem.Unavailable, "busy", "Later."),
			`{"type":"urn:wastecoach:problem:busy","title":"Service Unavailable","status":503,` +
				`"detail":"Later.","code":"busy","retryable":true}`,
		},
		"retryable by choice": {
			problem.New(problem.Conflict, "busy", "Later.").After(time.Second),
			`{"type":"urn:wastecoach:problem:busy","title":"Conflict","status":409,` +
				`"detail":"Later.","code":"busy","retryable":true}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(tt.err.Document())
			if err != nil || string(got) != tt.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}
