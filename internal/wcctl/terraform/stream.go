package terraform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// message is one line of terraform's -json output, as far as we use it:
// https://developer.hashicorp.com/terraform/internals/machine-readable-ui
type message struct {
	Text       string            `json:"@message"`
	Time       time.Time         `json:"@timestamp"`
	Type       string            `json:"type"`
	Hook       hook              `json:"hook"`
	Change     change            `json:"change"`
	Outputs    map[string]output `json:"outputs"`
	Diagnostic *Diagnostic       `json:"diagnostic"`
}

type hook struct {
	Resource resource `json:"resource"`
	Action   string   `json:"action"`
	Seconds  float64  `json:"elapsed_seconds"`
	Output   string   `json:"output"`
}

type change struct {
	Resource resource `json:"resource"`
	Action   Action   `json:"action"`
	Reason   string   `json:"reason"`
}

type resource struct {
	Address string `json:"addr"`
}

type output struct {
	Action Action `json:"action"`
}

// Diagnostic is a warning or an error that terraform explains.
type Diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail"`
	// Address is the resource; it may be empty.
	Address string `json:"address"`
}

// stream takes a command's output apart, line by line.
type stream struct {
	log   io.Writer
	sink  event.Sink
	phase string

	rest    []byte
	changes []Change
	faults  []Diagnostic
}

func newStream(log io.Writer, sink event.Sink, phase string) *stream {
	if sink == nil {
		sink = event.SinkFunc(func(event.Event) {})
	}
	return &stream{log: log, sink: sink, phase: phase}
}

// Write implements io.Writer; terraform's lines may come in parts.
func (s *stream) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		line, rest, found := bytes.Cut(s.rest, []byte{'\n'})
		if !found {
			return len(p), nil
		}
		s.line(line)
		s.rest = rest
	}
}

// flush takes what a killed terraform has left of its last line.
func (s *stream) flush() {
	if len(s.rest) > 0 {
		s.line(s.rest)
		s.rest = nil
	}
}

// line handles one line; one that is no JSON message goes to the log as it is.
func (s *stream) line(line []byte) {
	var m message
	if err := json.Unmarshal(line, &m); err != nil || m.Type == "" {
		fmt.Fprintf(s.log, "%s\n", line)
		return
	}
	fmt.Fprintf(s.log, "%s %s\n", m.Time.UTC().Format("15:04:05.000"), m.Text)
	s.planning(m)
	s.applying(m)
	if m.Diagnostic != nil {
		s.diagnostic(m)
	}
}

// planning collects the changes. An apply repeats them, which nobody reads then.
func (s *stream) planning(m message) {
	switch m.Type {
	case "planned_change":
		if m.Change.Action != "read" && m.Change.Action != "noop" {
			s.changes = append(s.changes, Change{
				Address: m.Change.Resource.Address, Action: m.Change.Action, Reason: m.Change.Reason,
			})
		}
	case "outputs":
		for name, o := range m.Outputs {
			// An apply's outputs have values and no actions.
			if o.Action != "" && o.Action != "noop" {
				s.changes = append(s.changes, Change{Address: "output." + name, Action: o.Action})
			}
		}
	case "resource_drift":
		s.emit(m, event.Event{
			Kind: event.Note, Task: m.Change.Resource.Address,
			Text: "changed outside of Terraform: " + string(m.Change.Action),
		})
	}
}

// applying tells of each resource's beginning and end.
func (s *stream) applying(m message) {
	task := m.Hook.Action + " " + m.Hook.Resource.Address
	switch m.Type {
	case "apply_start":
		s.emit(m, event.Event{Kind: event.TaskStarted, Task: task})
	case "apply_complete":
		s.emit(m, event.Event{
			Kind: event.TaskFinished, Task: task,
			Changed: m.Hook.Action != "read", Seconds: m.Hook.Seconds,
		})
	case "apply_errored":
		s.emit(m, event.Event{
			Kind: event.TaskFinished, Task: task, Text: "failed", Seconds: m.Hook.Seconds,
		})
	case "provision_progress":
		s.emit(m, event.Event{
			Kind: event.Note, Task: m.Hook.Resource.Address, Text: m.Hook.Output,
		})
	}
}

func (s *stream) diagnostic(m message) {
	d := *m.Diagnostic
	fmt.Fprintf(s.log, "%s: %s\n", d.Severity, d)
	if d.Severity == "error" {
		s.faults = append(s.faults, d)
		return
	}
	s.emit(m, event.Event{Kind: event.Warning, Task: d.Address, Text: d.String()})
}

func (s *stream) emit(m message, e event.Event) {
	e.Time, e.Phase = m.Time, s.phase
	s.sink.Emit(e)
}
