package ansible

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// line is one event of callback_plugins/wcctl_events.py.
type line struct {
	Event   string           `json:"event"`
	Ansible string           `json:"ansible"`
	Task    string           `json:"task"`
	Host    string           `json:"host"`
	Status  string           `json:"status"`
	Message string           `json:"message"`
	Stderr  []string         `json:"stderr"`
	Paths   []string         `json:"paths"`
	Seconds float64          `json:"seconds"`
	Attempt int              `json:"attempt"`
	Hosts   map[string]stats `json:"hosts"`
}

type stats struct {
	OK          int `json:"ok"`
	Changed     int `json:"changed"`
	Failures    int `json:"failures"`
	Unreachable int `json:"unreachable"`
}

// A result's status.
const (
	statusChanged     = "changed"
	statusSkipped     = "skipped"
	statusIgnored     = "ignored"
	statusFailed      = "failed"
	statusUnreachable = "unreachable"
)

// stream turns the plugin's lines into events and a result.
type stream struct {
	phase string
	sink  event.Sink
	log   io.Writer
	stop  func()

	seen     bool
	old      error
	files    map[string][]string
	stats    map[string]stats
	failures []line
	output   []string
}

func newStream(phase string, sink event.Sink, log io.Writer) *stream {
	return &stream{phase: phase, sink: sink, log: log, files: map[string][]string{}}
}

// read returns at the end of r. What is no event goes to the log.
func (s *stream) read(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes('\n')
		var l line
		switch {
		case len(text) == 0:
		case json.Unmarshal(text, &l) != nil || l.Event == "":
			fmt.Fprintf(s.log, "%s", text)
		default:
			s.take(l)
		}
		if err != nil {
			return
		}
	}
}

func (s *stream) take(l line) {
	s.seen = true
	switch l.Event {
	case "start":
		if s.old = checkVersion(l.Ansible); s.old != nil {
			s.stop()
		}
	case "task":
		s.emit(event.Event{Kind: event.TaskStarted, Task: l.Task})
	case "retry":
		s.emit(event.Event{
			Kind: event.Note, Host: l.Host, Task: l.Task, Text: fmt.Sprintf("attempt %d", l.Attempt),
		})
	case "result":
		s.takeResult(l)
	case "stats":
		s.stats = l.Hosts
	}
}

func (s *stream) takeResult(l line) {
	e := event.Event{
		Kind: event.TaskFinished, Host: l.Host, Task: l.Task, Seconds: l.Seconds,
		Changed: l.Status == statusChanged, Text: l.Message,
	}
	s.files[l.Host] = append(s.files[l.Host], l.Paths...)
	switch l.Status {
	case statusSkipped:
		return
	case statusIgnored:
		e.Kind = event.Note
	case statusFailed, statusUnreachable:
		e.Kind = event.Warning
		s.failures = append(s.failures, l)
	}
	if len(l.Paths) > 0 {
		e.Path = l.Paths[0]
	}
	s.emit(e)
}

func (s *stream) emit(e event.Event) {
	e.Time, e.Phase = time.Now(), s.phase
	s.sink.Emit(e)
}

func (s *stream) tooOld() error { return s.old }

// result counts what the statistics say; a play that was cut off has none, and nothing of it is
// complete.
func (s *stream) result() Result {
	result := Result{}
	for name, files := range s.files {
		result[name] = Host{Files: slices.Compact(slices.Sorted(slices.Values(files)))}
	}
	for _, f := range s.failures {
		h := result[f.Host]
		h.Failed++
		h.Unreachable = h.Unreachable || f.Status == statusUnreachable
		result[f.Host] = h
	}
	for name, n := range s.stats {
		h := result[name]
		h.OK, h.Changed, h.Failed, h.Unreachable = n.OK, n.Changed, n.Failures, n.Unreachable > 0
		h.Complete = n.Failures == 0 && n.Unreachable == 0
		result[name] = h
	}
	return result
}

// taskError is the first machine's failure; of several there the last, which a rescue words best.
func (s *stream) taskError() *TaskError {
	last := map[string]line{}
	for _, f := range s.failures {
		last[f.Host] = f
	}
	for name := range last {
		if n, ok := s.stats[name]; ok && n.Failures == 0 && n.Unreachable == 0 {
			delete(last, name)
		}
	}
	hosts := slices.Sorted(maps.Keys(last))
	if len(hosts) == 0 {
		f := s.failures[len(s.failures)-1]
		hosts, last = []string{f.Host}, map[string]line{f.Host: f}
	}
	first := last[hosts[0]]
	return &TaskError{
		Phase: s.phase, Host: first.Host, Task: first.Task, Message: first.Message,
		Output: first.Stderr, Unreachable: first.Status == statusUnreachable, Others: hosts[1:],
	}
}
