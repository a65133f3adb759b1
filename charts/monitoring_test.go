package charts_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
)

// writePrometheus writes what the chart's Prometheus reads into a folder.
func writePrometheus(t *testing.T) string {
	t.Helper()
	manifest, err := renderPlatform(t, monitoring)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, o := range objects(t, manifest) {
		if o.GetKind() != "ConfigMap" || o.GetName() != "prometheus" {
			continue
		}
		for name, text := range o.Object["data"].(map[string]any) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text.(string)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

func promtool(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "promtool", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// alerts are the names of the alerts in a folder of rules, each with its annotations.
func alerts(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "rules-*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no rules: %v", err)
	}
	all := map[string]map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var rules struct {
			Groups []struct {
				Rules []struct {
					Alert       string            `json:"alert"`
					Annotations map[string]string `json:"annotations"`
				} `json:"rules"`
			} `json:"groups"`
		}
		if err := yaml.Unmarshal(data, &rules); err != nil {
			t.Fatal(err)
		}
		for _, group := range rules.Groups {
			for _, rule := range group.Rules {
				if rule.Alert != "" {
					all[rule.Alert] = rule.Annotations
				}
			}
		}
	}
	return all
}

func TestPrometheusReadsItsConfiguration(t *testing.T) {
	t.Parallel()
	dir := writePrometheus(t)
	promtool(t, dir, "check", "config", "--syntax-only", "prometheus.yml")
	promtool(t, dir, "check", "rules", "rules-services.yaml", "rules-jobs.yaml", "rules-cluster.yaml")
}

// TestBackupsAreDueTogether holds the alert to what wcctl status and wcctl top say.
func TestBackupsAreDueTogether(t *testing.T) {
	t.Parallel()
	rules, err := os.ReadFile("monitoring/rules/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("backup_taken_timestamp_seconds > %v * 3600\n", kube.BackupDue.Hours()); !strings.Contains(
		string(rules), want) {
		t.Errorf("no %q", want)
	}
}

// TestAlerts runs Prometheus' own engine over made-up series: each alert fires on what it is for.
func TestAlerts(t *testing.T) {
	t.Parallel()
	dir := writePrometheus(t)
	tests, err := os.ReadFile("monitoring/tests/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "tests.yaml"), tests, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, dir, "test", "rules", "tests.yaml")
	for alert := range alerts(t, dir) {
		if !strings.Contains(string(tests), "alertname: "+alert+"\n") {
			t.Errorf("%s is never made to fire in monitoring/tests/rules.yaml", alert)
		}
	}
}

func TestEveryAlertHasARunbook(t *testing.T) {
	t.Parallel()
	var pages, names []string
	for alert, annotations := range alerts(t, writePrometheus(t)) {
		names = append(names, alert)
		if !strings.HasSuffix(annotations["runbook_url"], "/docs/runbooks/"+alert+".md") {
			t.Errorf("%s leads to %q", alert, annotations["runbook_url"])
		}
	}
	files, err := filepath.Glob("../docs/runbooks/[A-Z]*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".md"); name != "README" {
			pages = append(pages, name)
		}
	}
	slices.Sort(names)
	slices.Sort(pages)
	if !slices.Equal(names, pages) {
		t.Errorf("alerts %v, pages %v", names, pages)
	}
}
