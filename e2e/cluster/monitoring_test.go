//go:build e2e

package cluster

import (
	"fmt"
	"net/url"
	"time"
)

// wantMonitoring asks the cluster's Prometheus: every target answers, and the rules are evaluated.
func (l *lab) wantMonitoring() {
	l.t.Helper()
	eventually(l.t, 3*time.Minute, func() error {
		if down := l.query("up == 0"); len(down) > 0 {
			return fmt.Errorf("targets are down: %v", down)
		}
		for _, service := range []string{"auth", "users", "waste", "recycling", "locations"} {
			if len(l.query(fmt.Sprintf("up{namespace=%q}", service))) == 0 {
				return fmt.Errorf("nobody of %s is a target: %v", service, l.query("up"))
			}
		}
		if len(l.query("backup_taken_timestamp_seconds")) == 0 {
			return fmt.Errorf("nothing is known of backups")
		}
		return nil
	})
	l.t.Logf("targets %v", l.query("count by (job) (up)"))
	l.t.Logf("alerts %v", l.query("ALERTS"))
	var rules struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	l.prometheus("rules", &rules)
	count := 0
	for _, g := range rules.Data.Groups {
		for _, r := range g.Rules {
			count++
			if r.Health != "ok" {
				l.t.Errorf("the rule %s is %s: %s", r.Name, r.Health, r.LastError)
			}
		}
	}
	if count == 0 {
		l.t.Error("there are no rules")
	}
}

// prometheus asks its API.
func (l *lab) prometheus(path string, into any) {
	l.t.Helper()
	l.kubectl("get", "--raw", "/api/v1/namespaces/monitoring/pods/prometheus-0:9090/proxy/api/v1/"+path).into(into)
}

// query returns the labels with the value of each series.
func (l *lab) query(promQL string) []string {
	l.t.Helper()
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	l.prometheus("query?query="+url.QueryEscape(promQL), &answer)
	var series []string
	for _, r := range answer.Data.Result {
		series = append(series, fmt.Sprintf("%v %v", r.Metric, r.Value[1]))
	}
	return series
}
