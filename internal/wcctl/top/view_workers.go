package top

import (
	"fmt"
	"strings"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

var workerColumns = []column{
	{title: "WORKER, TASK", width: 13, grow: 26},
	{title: "JOB", width: idWidth},
	{title: "SINCE", width: 6, right: true},
	{title: "LEASE", width: 6, right: true, rank: 1},
	{title: "GIVES UP", width: 8, right: true, rank: 3},
	{title: "STATE", width: 8, rank: 2},
	{title: "QUEUES", width: 9, grow: 20, rank: 4},
	{title: "HOST", width: 12, grow: 20, rank: 5},
}

// workerRow is a worker, or below it one thing that it runs.
type workerRow struct {
	worker  monitor.Worker
	running *monitor.Running
}

func (r workerRow) key() string {
	if r.running == nil {
		return r.worker.ID
	}
	return r.worker.ID + "/" + r.running.Task + "/" + r.running.Job.UUID.String()
}

func (r workerRow) job() uuid.UUID {
	if r.running == nil || !r.running.Job.Valid {
		return uuid.Nil
	}
	return r.running.Job.UUID
}

func (m *model) workerRows() []workerRow {
	filter := m.lists[workers].filter
	var rows []workerRow
	for _, w := range m.feed.picture.Workers {
		whole := matches(filter, append([]string{w.ID, w.Host, w.Status}, w.Queues...)...)
		var running []workerRow
		for _, r := range w.Running {
			if whole || matches(filter, r.Task, r.Job.UUID.String()) {
				running = append(running, workerRow{w, &r})
			}
		}
		if whole || len(running) > 0 {
			rows = append(append(rows, workerRow{worker: w}), running...)
		}
	}
	return rows
}

func (m *model) drawWorkers(out *pane, height int) {
	list := m.workerRows()
	if len(list) == 0 {
		text := "No worker runs: jobs wait until one does. `wcctl dev status` or the view Services tells why."
		out.add(m.nothing(text, len(m.feed.picture.Workers))...)
		return
	}
	t := table{workerColumns, func(i int) []cell { return m.workerCells(list[i]) }}
	t.draw(out, m.paint, *m.list(), m.rows(), m.width, height)
}

func (m *model) workerCells(r workerRow) []cell {
	if r.running != nil {
		return m.runningCells(*r.running)
	}
	p, w := m.paint, r.worker
	state := cell{text: cells.Clean(w.Status), ink: p.good}
	if w.Status != "active" {
		state.ink = p.warn
	}
	return []cell{
		{text: workerName(w), ink: p.bold},
		{text: fmt.Sprintf("%d of %d busy", len(w.Running), w.Concurrency), ink: p.faint},
		{text: cells.Elapsed(m.at().Sub(w.StartedAt))},
		{},
		{},
		state,
		{text: cells.Clean(strings.Join(w.Queues, " ")), ink: p.faint},
		{text: cells.Clean(w.Host), ink: p.faint},
	}
}

// workerName is what tells a worker from the others: many may share a process and a queue.
func workerName(w monitor.Worker) string {
	const enough = 8
	id := w.ID
	if _, err := uuid.FromString(id); err == nil {
		id = join(" ", strings.Join(w.Queues, " "), id[:enough])
	}
	return cells.Clean(id)
}

func (m *model) runningCells(r monitor.Running) []cell {
	p, now := m.paint, m.at()
	lease := cell{ink: p.faint}
	if !r.Lease.IsZero() {
		lease.text = until(now, r.Lease)
		if r.Lease.Before(now) {
			lease.ink = p.bad
		}
	}
	deadline := cell{ink: p.faint}
	if !r.Deadline.IsZero() {
		deadline.text = until(now, r.Deadline)
	}
	id := ""
	if r.Job.Valid {
		id = shortID(r.Job.UUID)
	}
	return []cell{
		{text: " ▸ " + cells.Clean(r.Task), ink: p.accent},
		{text: id},
		{text: cells.Elapsed(now.Sub(r.Since))},
		lease, deadline,
		{},
		{},
		{},
	}
}
