//go:build e2e

package cluster

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/monitor"
)

// wantTop reads every part of the picture through the API server alone, with the versions by service.
func (l *lab) wantTop(versions map[string]string) {
	l.t.Helper()
	kubeconfig := filepath.Join(l.state(), "kubeconfig")
	answer := l.wcctl("top", "--once", "-o", "json", "--kubeconfig", kubeconfig).ok()
	var p monitor.Picture
	answer.into(&p)
	l.t.Logf("%s\n%s", answer.command, l.wcctl("top", "--once", "--kubeconfig", kubeconfig).ok().Stdout)
	if len(p.Jobs.Items) == 0 {
		l.t.Error("no job is shown")
	}
	for _, name := range []string{"waste", "recycling"} {
		if !slices.ContainsFunc(p.Queues, func(q monitor.Queue) bool { return q.Name == name && q.Processed > 0 }) {
			l.t.Errorf("queue %s has worked nothing: %+v", name, p.Queues)
		}
		if !slices.ContainsFunc(p.Workers, func(w monitor.Worker) bool { return slices.Contains(w.Queues, name) }) {
			l.t.Errorf("nobody works for %s: %+v", name, p.Workers)
		}
	}
	for name, version := range versions {
		if !slices.ContainsFunc(p.Services, func(s monitor.Service) bool {
			return s.Name == name && s.Ready > 0 && strings.Join(s.Versions, " ") == version
		}) {
			l.t.Errorf("%s is not there with %s: %+v", name, version, p.Services)
		}
	}
	if c := p.Cluster; c == nil || len(c.Nodes) != len(allRoles) || c.DatabaseBackupAt == nil ||
		time.Since(*c.DatabaseBackupAt) > time.Hour {
		l.t.Errorf("the cluster is %+v", c)
	}
}
