package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

func TestWaitTellsWhatChanges(t *testing.T) {
	t.Parallel()
	looks := [][]Condition{
		{{Name: "api-server", State: OK}, {Name: "dns", State: Failing, Message: "0 of 2"}},
		{{Name: "api-server", State: OK}, {Name: "dns", State: Failing, Message: "0 of 2"}},
		{{Name: "api-server", State: OK}, {Name: "dns", State: Failing, Message: "1 of 2"}},
		{{Name: "api-server", State: OK}, {Name: "dns", State: NotEnforced, Message: "done"}},
	}
	var told []string
	tell := &teller{phase: "conditions", started: map[string]time.Time{}, sink: event.SinkFunc(func(e event.Event) {
		if e.Phase != "conditions" || e.Time.IsZero() {
			t.Errorf("%+v", e)
		}
		told = append(told, string(e.Kind)+" "+e.Task+" "+e.Text)
	})}
	i := -1
	conditions, err := wait(t.Context(), func() []Condition { i++; return looks[i] }, time.Millisecond, tell)
	if err != nil || conditions[1].Message != "done" {
		t.Fatalf("%v, %v", conditions, err)
	}
	want := "task_finished api-server \ntask_started dns 0 of 2\n" +
		"note dns 1 of 2\ntask_finished dns done\nwarning dns done"
	if got := strings.Join(told, "\n"); got != want {
		t.Errorf("told\n%s\nwant\n%s", got, want)
	}
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	look := func() []Condition {
		if ctx.Err() != nil {
			return []Condition{{Name: "api-server", State: Failing, Message: "context deadline exceeded"}}
		}
		return []Condition{{Name: "dns", State: Failing, Message: "0 of 2", Hint: "wcctl doctor"}}
	}
	tell := &teller{sink: event.SinkFunc(func(event.Event) {}), started: map[string]time.Time{}}
	_, err := wait(ctx, look, time.Millisecond, tell)
	var notMet *NotMetError
	if !errors.As(err, &notMet) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if err.Error() != "1 condition not met after 0s: dns: 0 of 2" || notMet.Hint() != "wcctl doctor" {
		t.Errorf("%q, hint %q", err, notMet.Hint())
	}
}
