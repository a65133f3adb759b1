package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// alert is something that an operator should look at, and where.
type alert struct {
	bad  bool
	text string
	to   view
	only jobFilter
}

const (
	longWait = 30 * time.Second
	// archiveCap is how many archived tasks asynq keeps, nearlyFull when it is time to say so.
	archiveCap = 10_000
	nearlyFull = 8_000
)

// alerts are the worst first.
func (m *model) alerts() []alert {
	p := m.feed.picture
	var list []alert
	for v, part := range parts {
		if f, ok := p.Faults[part]; ok {
			text := fmt.Sprintf("%s: %s", part, cells.Clean(f.Message))
			list = append(list, alert{bad: true, text: text, to: view(v)})
		}
	}
	list = append(list, m.jobAlerts()...)
	for _, q := range p.Queues {
		list = append(list, m.queueAlerts(q)...)
	}
	list = append(list, m.workerAlerts()...)
	for _, s := range p.Services {
		list = append(list, serviceAlerts(s)...)
	}
	if p.Cluster != nil {
		list = append(list, m.clusterAlerts(*p.Cluster)...)
	}
	return worstFirst(list)
}

func worstFirst(list []alert) []alert {
	var bad, other []alert
	for _, a := range list {
		if a.bad {
			bad = append(bad, a)
		} else {
			other = append(other, a)
		}
	}
	return append(bad, other...)
}

func (m *model) jobAlerts() []alert {
	var list []alert
	page := m.feed.picture.Jobs
	stalled := 0
	for _, j := range page.Items {
		if j.Stalled || j.Orphan {
			stalled++
		}
	}
	if stalled > 0 {
		list = append(list, alert{true, plural(stalled, "job") + " stalled: F repairs", jobs, stalledJobs})
	}
	if day := page.Last24h; day.Failed > 0 {
		all := day.Succeeded + day.Failed
		text := fmt.Sprintf("%s failed in the last 24 h, %s", plural(int(day.Failed), "job"),
			percent(float64(day.Failed)/float64(all)))
		list = append(list, alert{false, text, jobs, failedJobs})
	}
	return list
}

func (m *model) queueAlerts(q monitor.Queue) []alert {
	var list []alert
	name := cells.Clean(q.Name)
	add := func(bad bool, format string, args ...any) {
		list = append(list, alert{bad: bad, text: "queue " + name + " " + fmt.Sprintf(format, args...), to: queues})
	}
	if q.Orphans > 0 {
		add(true, "has %s that no worker holds", plural(int(q.Orphans), "active task"))
	}
	if q.Archived >= nearlyFull {
		add(true, "has %s archived tasks: from %s on the oldest are lost", count(q.Archived), count(archiveCap))
	} else if q.Archived > 0 {
		add(false, "has %s: retry or delete", plural(int(q.Archived), "archived task"))
	}
	if q.Paused {
		add(false, "is paused: P resumes it")
	} else if q.Oldest >= longWait {
		add(false, "is slow: the oldest task waits %s", cells.Elapsed(q.Oldest))
	}
	return list
}

func (m *model) workerAlerts() []alert {
	p := m.feed.picture
	if _, old := p.Faults[monitor.Workers]; old {
		return nil // nothing is known
	}
	if len(p.Workers) == 0 {
		return []alert{{true, "no worker runs: jobs wait", workers, allJobs}}
	}
	over := 0
	for _, w := range p.Workers {
		for _, r := range w.Running {
			if !r.Lease.IsZero() && r.Lease.Before(m.at()) {
				over++
			}
		}
	}
	if over == 0 {
		return nil
	}
	return []alert{{true, plural(over, "task") + " whose worker is silent: the lease is over", workers, allJobs}}
}

func serviceAlerts(s monitor.Service) []alert {
	var list []alert
	name := "service " + cells.Clean(s.Name)
	if s.Ready < s.Replicas || s.Replicas == 0 {
		text := join(": ", fmt.Sprintf("%s has %d of %d ready", name, s.Ready, s.Replicas), cells.Clean(s.Why))
		list = append(list, alert{bad: true, text: text, to: services})
	}
	if s.Errors >= badErrors {
		list = append(list, alert{bad: true, text: name + " fails " + percent(s.Errors) + " of the time", to: services})
	}
	return list
}

func (m *model) clusterAlerts(c monitor.ClusterState) []alert {
	var list []alert
	now := m.at()
	add := func(bad bool, text string) { list = append(list, alert{bad: bad, text: text, to: cluster}) }
	for _, n := range c.Nodes {
		name := "node " + cells.Clean(n.Name)
		if !n.Ready {
			add(true, name+" is not ready")
		}
		if len(n.Pressure) > 0 {
			add(true, name+" has pressure: "+cells.Clean(strings.Join(n.Pressure, ", ")))
		}
	}
	if t := c.CertificatesExpire; t != nil && t.Sub(now) < soonExpired {
		add(true, "certificates: "+days(t.Sub(now)))
	}
	if t := c.BackupAt; t != nil && now.Sub(*t) > monitor.BackupDue {
		add(false, "the last backup is "+cells.Elapsed(now.Sub(*t))+" old")
	}
	if t := c.DatabaseBackupAt; t != nil && now.Sub(*t) > monitor.BackupDue {
		add(false, "the last backup of PostgreSQL is "+cells.Elapsed(now.Sub(*t))+" old")
	}
	if n := len(c.Waiting); n > 0 {
		add(false, plural(n, "pod")+" cannot start: "+cells.Clean(c.Waiting[0]))
	}
	return list
}
