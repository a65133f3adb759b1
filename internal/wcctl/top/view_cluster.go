package top

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

var nodeColumns = []column{
	{title: "NODE", width: 12, grow: 14},
	{title: "READY", width: 7},
	{title: "CPU", width: 13, grow: 12},
	{title: "MEMORY", width: 13, grow: 12, rank: 1},
	{title: "PODS", width: 4, right: true, rank: 2},
	{title: "PRESSURE", width: 8, grow: 20, rank: 3},
	{title: "ROLES", width: 13, grow: 10, rank: 4},
}

func (m *model) nodes() []monitor.Node {
	if m.feed.picture.Cluster == nil {
		return nil
	}
	var list []monitor.Node
	for _, n := range m.feed.picture.Cluster.Nodes {
		if matches(m.lists[cluster].filter, append([]string{n.Name}, n.Roles...)...) {
			list = append(list, n)
		}
	}
	return list
}

func (m *model) drawCluster(out *pane, height int) {
	state := m.feed.picture.Cluster
	if state == nil {
		out.add(m.nothing("The system runs on no cluster, but on this machine. "+
			"`wcctl up` makes a cluster from wastecoach.yaml.", 0)...)
		return
	}
	rows := m.rows()
	if len(rows) == 0 {
		out.add(m.nothing("The cluster has no node.", len(state.Nodes))...)
	}
	panel := m.panelHeight(height-1, len(rows))
	list := m.nodes()
	t := table{nodeColumns, func(i int) []cell { return m.nodeCells(list[i]) }}
	if len(rows) > 0 {
		t.draw(out, m.paint, *m.list(), rows, m.width, height-panel)
	}
	lines := m.clusterPanel()
	if len(lines) > panel && panel > 0 {
		lines = append(lines[:panel-1], m.paint.faint.of(
			fmt.Sprintf("   … %s more in a higher window", plural(len(lines)-panel+1, "line"))))
	}
	out.add(lines[:min(len(lines), panel)]...)
}

func (m *model) nodeCells(n monitor.Node) []cell {
	p := m.paint
	ready := cell{text: "✓ yes", ink: p.good}
	if !n.Ready {
		ready = cell{text: "✗ no", ink: p.bad}
	}
	return []cell{
		{text: cells.Clean(n.Name), ink: p.bold},
		ready, p.share(n.CPU), p.share(n.Memory),
		{text: fmt.Sprintf("%d", n.Pods)},
		{text: cells.Clean(strings.Join(n.Pressure, " ")), ink: p.bad},
		{text: cells.Clean(strings.Join(n.Roles, " ")), ink: p.faint},
	}
}

// muchUsed is the share from which on a machine is nearly full.
const muchUsed = 0.85

func (p paint) share(of *float64) cell {
	if of == nil {
		return cell{text: "not measured", ink: p.faint}
	}
	k := p.good
	if *of >= muchUsed {
		k = p.bad
	}
	const number = 5
	return cell{draw: func(width int) string {
		return p.bar(int(*of*100), width-number, k) + fmt.Sprintf("%4.0f%%", *of*100)
	}}
}

const soonExpired = 30 * 24 * time.Hour

// clusterPanel tells of what is not on one node.
func (m *model) clusterPanel() []string {
	c, p, now := m.feed.picture.Cluster, m.paint, m.at()
	if c == nil {
		return nil
	}
	lines := []string{"", m.clusterFacts(*c, now)}
	var pods []string
	for _, phase := range slices.Sorted(maps.Keys(c.Pods)) {
		k := p.good
		if phase != "Running" && phase != "Succeeded" {
			k = p.warn
		}
		pods = append(pods, k.of(fmt.Sprintf("%d", c.Pods[phase]))+" "+strings.ToLower(cells.Clean(phase)))
	}
	if len(pods) > 0 {
		lines = append(lines, " "+p.faint.of(cells.Fit("pods", labelWidth))+strings.Join(pods, " · "))
	}
	for _, text := range c.Waiting {
		lines = append(lines, "   "+p.warn.of(cells.Cut("! "+cells.Clean(text), m.width-5)))
	}
	for i, r := range c.Rollouts {
		if i == 0 {
			lines = append(lines, m.section("Rollouts")...)
		}
		lines = append(lines, m.rolloutLine(r))
	}
	return lines
}

func (m *model) clusterFacts(c monitor.ClusterState, now time.Time) string {
	p := m.paint
	certificates, backup := p.faint.of("certificates not read"), p.faint.of("no backup known")
	if t := c.CertificatesExpire; t != nil {
		left := t.Sub(now)
		k := p.good
		if left < soonExpired {
			k = p.bad
		}
		certificates = "certificates " + k.of(days(left))
	}
	ago := func(t time.Time) string {
		k := p.good
		if now.Sub(t) > monitor.BackupDue {
			k = p.warn
		}
		return k.of(cells.Elapsed(now.Sub(t)) + " ago")
	}
	if t := c.BackupAt; t != nil {
		backup = "backup " + ago(*t)
	}
	if t := c.DatabaseBackupAt; t != nil {
		backup += ", PostgreSQL's " + ago(*t)
	}
	name := cells.Clean(c.Name) + " " + cells.Clean(c.Version)
	return cells.Cut(" "+p.faint.of(cells.Fit("cluster", labelWidth))+
		join(p.faint.of(" · "), p.bold.of(name), certificates, backup), m.width-1)
}

func days(d time.Duration) string {
	if d < 0 {
		return "expired"
	}
	return plural(int(d/(24*time.Hour)), "day") + " left"
}

func (m *model) rolloutLine(r monitor.Rollout) string {
	p := m.paint
	const nameWidth, numbers = 18, 24
	done := 0
	if r.Wanted > 0 {
		done = 100 * min(r.Updated, r.Ready) / r.Wanted
	}
	width := max(min(m.width-nameWidth-numbers-5, 40), 4)
	return "   " + cells.Fit(cells.Clean(r.Name), nameWidth) + p.bar(done, width, p.accent) +
		fmt.Sprintf(" %d new, %d ready of %d", r.Updated, r.Ready, r.Wanted)
}
