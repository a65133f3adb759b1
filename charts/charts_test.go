package charts_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
)

var update = flag.Bool("update", false, "rewrite the goldens in testdata")

func TestGoldens(t *testing.T) {
	t.Parallel()
	for _, v := range variants(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, v.chart, v.release, v.vals)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", v.name+".yaml")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("%s is not what the chart renders: go test ./charts -run Goldens -update", file)
			}
		})
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	for _, v := range variants(t) {
		lint := action.NewLint()
		lint.Strict = true
		lint.Namespace = v.release
		for _, err := range lint.Run([]string{v.chart}, v.vals).Errors {
			t.Errorf("%s: %v", v.name, err)
		}
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	waste := serviceValues(t, "waste")
	for name, tt := range map[string]struct {
		chart string
		vals  map[string]any
		want  string
	}{
		"no service":        {"service", nil, "/service': value must be one of 'auth', 'users'"},
		"unknown key":       {"service", values(t, waste, "api: {replica: 3}"), "'/api': additional properties 'replica' not allowed"},
		"unknown strategy":  {"service", values(t, waste, "strategy: canary"), "'/strategy': value must be one of 'rolling', 'blue-green'"},
		"a flavor":          {"service", values(t, waste, "ingress: {flavor: nginx}"), "'/ingress/flavor': value must be one of"},
		"a secret":          {"service", values(t, waste, "env: {VISION_API_KEY: sk-1}"), "VISION_API_KEY"},
		"half a digest":     {"service", values(t, waste, "image: {digest: 'sha256:12'}"), "'/image/digest': 'sha256:12' does not match"},
		"no image":          {"service", values(t, waste, "image: {tag: ''}"), "/image"},
		"no queue":          {"service", values(t, waste, "worker: {queue: ''}"), "/worker/queue"},
		"a short timeout":   {"service", values(t, waste, "ingress: {timeoutSeconds: 30}"), "'/ingress/timeoutSeconds': minimum: got 30, want 41"},
		"no active color":   {"service", values(t, waste, "{strategy: blue-green, blueGreen: {active: green, blue: {tag: v1}}}"), "blueGreen.active is green, but blueGreen.green has neither tag nor digest"},
		"memory in bytes":   {"service", values(t, waste, "api: {resources: {limits: {memory: 1000000}}}"), "/api/resources/limits/memory"},
		"every origin":      {"service", values(t, waste, "ingress: {corsOrigins: ['*']}"), "/ingress/corsOrigins/0"},
		"data, unknown key": {"data", values(t, "postgres: {replicas: 2}"), "'/postgres': additional properties 'replicas' not allowed"},
		"data, connections": {"data", values(t, "postgres: {settings: {max_connections: 9}}"), "max_connections"},
		"data, no bucket":   {"data", values(t, "s3: {buckets: []}"), "/s3/buckets"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, tt.chart, "waste", tt.vals)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("no %q in: %v", tt.want, err)
			}
		})
	}
}
