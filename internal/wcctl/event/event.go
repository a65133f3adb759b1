// Package event holds what a run tells whoever watches it.
package event

import (
	"sync"
	"time"
)

// Kind says what happened.
type Kind string

// The kinds, in the order in which a run shows them.
const (
	RunStarted    Kind = "run_started"
	PhaseStarted  Kind = "phase_started"
	TaskStarted   Kind = "task_started"
	TaskFinished  Kind = "task_finished"
	Warning       Kind = "warning"
	Note          Kind = "note"
	PhaseFinished Kind = "phase_finished"
	PhaseSkipped  Kind = "phase_skipped"
	PhaseFailed   Kind = "phase_failed"
	RunFinished   Kind = "run_finished"
)

// Event is one line of a run's record; `-o json` prints it as it is.
type Event struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Phase is the phase's name; it is empty for the run's own events.
	Phase string `json:"phase,omitempty"`
	// Host is the machine's name; it is empty for what happens here.
	Host string `json:"host,omitempty"`
	// Hosts are the machines on which a phase begins.
	Hosts []string `json:"hosts,omitempty"`
	// Task is what is being done, as a person would say it.
	Task string `json:"task,omitempty"`
	// Changed tells that the task altered its host.
	Changed bool `json:"changed,omitempty"`
	// Path is the file that the task manages on its host.
	Path string `json:"path,omitempty"`
	// Text is a warning, a note or the cause of a failure.
	Text string `json:"text,omitempty"`
	// Hint is a command to paste.
	Hint string `json:"hint,omitempty"`
	// Seconds is how long it took.
	Seconds float64 `json:"seconds,omitempty"`
	// Done and Total count a run's phases.
	Done  int `json:"done,omitempty"`
	Total int `json:"total,omitempty"`
	// Log is the path of the run's full record, told at its start and by a failure.
	Log string `json:"log,omitempty"`
}

// Sink receives events, one at a time and in order; Emit never blocks for long.
type Sink interface{ Emit(e Event) }

// SinkFunc is a function that is a Sink.
type SinkFunc func(Event)

// Emit implements Sink.
func (f SinkFunc) Emit(e Event) { f(e) }

// Tee is a Sink that gives every event to all of sinks, one event at a time, and that fills in a
// missing Time.
func Tee(sinks ...Sink) Sink { return &tee{sinks: sinks} }

type tee struct {
	mu    sync.Mutex
	sinks []Sink
}

// Emit implements Sink.
func (t *tee) Emit(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e.Time.IsZero() {
		e.Time = time.Now().UTC()
	}
	for _, s := range t.sinks {
		s.Emit(e)
	}
}
