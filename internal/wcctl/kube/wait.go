package kube

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

const (
	waitEvery = time.Second
	// waitReminder is how long nothing may be heard of what is waited for.
	waitReminder = 15 * time.Second
)

// NotMetError is a wait that ended with conditions that do not hold.
type NotMetError struct {
	Waited     time.Duration
	Conditions []Condition
	// Cause is why the wait ended.
	Cause error
}

// Error implements error.
func (e *NotMetError) Error() string {
	parts := make([]string, len(e.Conditions))
	for i, c := range e.Conditions {
		parts[i] = c.Name + ": " + c.Message
	}
	return fmt.Sprintf("%s not met after %s: %s", count(len(parts), "condition"),
		e.Waited.Round(time.Second), strings.Join(parts, "; "))
}

// Unwrap returns why the wait ended.
func (e *NotMetError) Unwrap() error { return e.Cause }

// Hint is the first condition's that has one.
func (e *NotMetError) Hint() string {
	for _, c := range e.Conditions {
		if c.Hint != "" {
			return c.Hint
		}
	}
	return "wcctl status"
}

// Wait looks until every condition is fine, and tells sink what changes, as tasks of the phase.
// When ctx ends first, the error is a *NotMetError with what still is not.
func (c *Cluster) Wait(
	ctx context.Context, opts Options, phase string, sink event.Sink,
) ([]Condition, error) {
	look := func() []Condition { return c.Conditions(ctx, opts) }
	return wait(ctx, look, waitEvery, &teller{phase: phase, sink: sink, started: map[string]time.Time{}})
}

func wait(
	ctx context.Context, look func() []Condition, every time.Duration, tell *teller,
) ([]Condition, error) {
	began := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var last []Condition
	for {
		now := look()
		// What was seen while ctx ended is the end of ctx, not the cluster's fault.
		if ctx.Err() == nil || last == nil {
			tell.changes(last, now)
			last = now
		}
		bad := Worst(last)
		if len(bad) == 0 {
			return last, nil
		}
		tell.reminder(bad, time.Since(began))
		select {
		case <-ctx.Done():
			return last, &NotMetError{Waited: time.Since(began), Conditions: bad, Cause: ctx.Err()}
		case <-tick.C:
		}
	}
}

// teller turns changes into events.
type teller struct {
	phase    string
	sink     event.Sink
	started  map[string]time.Time
	reminded time.Duration
}

func (t *teller) changes(before, now []Condition) {
	first := len(before) != len(now)
	for i, c := range now {
		var old Condition
		if !first {
			old = before[i]
		}
		if old.State == c.State && old.Message == c.Message {
			continue
		}
		was := !first && old.State.Fine()
		switch {
		case c.State.Fine() && !was:
			t.emit(event.TaskFinished, c)
		case !c.State.Fine() && (first || was):
			t.started[c.Name] = time.Now()
			t.emit(event.TaskStarted, c)
		case !c.State.Fine():
			t.emit(event.Note, c)
		}
		if c.State == Warning || c.State == NotEnforced {
			t.emit(event.Warning, c)
		}
	}
}

func (t *teller) emit(kind event.Kind, c Condition) {
	e := event.Event{
		Time: time.Now(), Kind: kind, Phase: t.phase, Task: c.Name, Text: c.Message, Hint: c.Hint,
	}
	if began, found := t.started[c.Name]; found && kind == event.TaskFinished {
		e.Seconds = time.Since(began).Seconds()
	}
	t.sink.Emit(e)
}

// reminder says from time to time what is waited for, so that no one takes the wait for a hang.
func (t *teller) reminder(bad []Condition, waited time.Duration) {
	if waited-t.reminded < waitReminder {
		return
	}
	t.reminded = waited
	names := make([]string, len(bad))
	for i, c := range bad {
		names[i] = c.Name
	}
	t.sink.Emit(event.Event{
		Time: time.Now(), Kind: event.Note, Phase: t.phase,
		Text: fmt.Sprintf("waiting for %s", few(names)), Seconds: waited.Seconds(),
	})
}
