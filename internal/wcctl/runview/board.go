package runview

import (
	"slices"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

type state int

const (
	waiting state = iota
	running
	done
	skipped
	failed
)

// phaseRow is a phase as a screen shows it.
type phaseRow struct {
	Phase
	state state
	since time.Time
	took  time.Duration
	text  string
}

// hostRow is a machine in the phase that runs.
type hostRow struct {
	name, task string
	since      time.Time
	busy       bool
	failed     bool
}

// maxWarnings is how many a screen remembers.
const maxWarnings = 8

// board is what a screen shows: all phases, the hosts of the one that runs, the last warnings.
type board struct {
	title, log  string
	start, last time.Time
	phases      []phaseRow
	hosts       []hostRow
	// task is what is being done here, on no host.
	task     string
	warnings []string
	ended    bool
}

func newBoard(phases []Phase) *board {
	b := &board{}
	for _, p := range phases {
		b.phases = append(b.phases, phaseRow{Phase: p})
	}
	return b
}

// show takes an event in.
func (b *board) show(e event.Event) {
	b.last = e.Time
	if b.start.IsZero() {
		b.start = e.Time
	}
	switch e.Kind {
	case event.RunStarted:
		b.title, b.log = cells.Clean(e.Text), cells.Clean(e.Log)
	case event.PhaseStarted:
		b.hosts, b.task = nil, ""
		for _, name := range e.Hosts {
			b.hosts = append(b.hosts, hostRow{name: name, since: e.Time})
		}
		b.set(e, running)
	case event.PhaseFinished:
		b.hosts, b.task = nil, ""
		b.set(e, done)
	case event.PhaseSkipped:
		b.set(e, skipped)
	case event.PhaseFailed:
		b.set(e, failed)
		for i := range b.hosts {
			b.hosts[i].busy = false
		}
	case event.TaskStarted:
		b.work(e, true)
	case event.TaskFinished:
		b.work(e, false)
	case event.Note:
		text := join(": ", cells.Clean(e.Task), cells.Clean(e.Text))
		if e.Host != "" {
			b.host(e).task = text
		} else {
			b.task = text
		}
	case event.Warning:
		b.warn(join(": ", cells.Clean(e.Host), cells.Clean(e.Task), cells.Clean(e.Text)))
		if e.Host != "" && e.Task != "" {
			h := b.host(e)
			h.task, h.failed, h.busy = cells.Clean(e.Task), true, false
		}
	case event.RunFinished:
		b.ended = true
	}
}

func (b *board) set(e event.Event, s state) {
	i := slices.IndexFunc(b.phases, func(p phaseRow) bool { return p.Name == e.Phase })
	if i < 0 {
		i = len(b.phases)
		b.phases = append(b.phases, phaseRow{Phase: Phase{Name: cells.Clean(e.Phase), Title: cells.Clean(e.Task)}})
	}
	p := &b.phases[i]
	p.state = s
	switch s {
	case running:
		p.since, p.took = e.Time, 0
	case done, failed:
		p.took = seconds(e.Seconds)
		if p.took == 0 && !p.since.IsZero() {
			p.took = e.Time.Sub(p.since)
		}
	case waiting, skipped:
	}
	if s == failed || s == skipped {
		p.text = cells.Clean(e.Text)
	}
}

// work notes a task on its host, or on all where it names none.
func (b *board) work(e event.Event, begins bool) {
	if e.Host == "" {
		if begins {
			b.task = join(": ", cells.Clean(e.Task), cells.Clean(e.Text))
			for i := range b.hosts {
				b.hosts[i].task, b.hosts[i].busy, b.hosts[i].since = b.task, true, e.Time
			}
		}
		return
	}
	h := b.host(e)
	if begins || h.task != cells.Clean(e.Task) {
		h.since = e.Time
	}
	h.task, h.busy, h.failed = cells.Clean(e.Task), begins, false
}

func (b *board) host(e event.Event) *hostRow {
	i := slices.IndexFunc(b.hosts, func(h hostRow) bool { return h.name == e.Host })
	if i < 0 {
		i = len(b.hosts)
		b.hosts = append(b.hosts, hostRow{name: e.Host, since: e.Time})
	}
	return &b.hosts[i]
}

func (b *board) warn(text string) {
	b.warnings = slices.DeleteFunc(b.warnings, func(w string) bool { return w == text })
	b.warnings = append(b.warnings, text)
	b.warnings = b.warnings[max(0, len(b.warnings)-maxWarnings):]
}

// ready counts the phases that need no more work.
func (b *board) ready() int {
	n := 0
	for _, p := range b.phases {
		if p.state == done || p.state == skipped {
			n++
		}
	}
	return n
}
