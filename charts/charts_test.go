package charts_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	networkingv1 "k8s.io/api/networking/v1"
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
			checkGolden(t, filepath.Join("testdata", v.name+".yaml"), got)
		})
	}
}

// checkGolden compares what a chart renders with the file, or writes it.
func checkGolden(t *testing.T, file, got string) {
	t.Helper()
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
	const noColor = "{strategy: blue-green, blueGreen: {active: green, blue: {tag: v1}}}"
	for text, want := range map[string]string{
		"service: payments":                          "'/service': value must be one of 'auth', 'users'",
		"api: {replica: 3}":                          "'/api': additional properties 'replica' not allowed",
		"strategy: canary":                           "'/strategy': value must be one of 'rolling', 'blue-green'",
		"ingress: {flavor: nginx}":                   "'/ingress/flavor': value must be one of",
		"env: {VISION_API_KEY: sk-1}":                "VISION_API_KEY",
		"image: {digest: 'sha256:12'}":               "'/image/digest': 'sha256:12' does not match",
		"image: {tag: ''}":                           "/image",
		"worker: {queue: ''}":                        "/worker/queue",
		"ingress: {timeoutSeconds: 30}":              "'/ingress/timeoutSeconds': minimum: got 30, want 41",
		"api: {resources: {limits: {memory: 1000}}}": "/api/resources/limits/memory",
		"ingress: {corsOrigins: ['*']}":              "/ingress/corsOrigins/0",
		noColor:                                      "is green, but blueGreen.green has neither tag nor digest",
	} {
		refused(t, "service", values(t, serviceValues(t, "waste"), text), want)
	}
	for text, want := range map[string]string{
		"postgres: {replicas: 2}":                    "'/postgres': additional properties 'replicas' not allowed",
		"postgres: {settings: {max_connections: 9}}": "max_connections",
		"s3: {buckets: []}":                          "/s3/buckets",
		"s3: {enabled: false}":                       "postgres.backup.endpoint is missing",
		"postgres: {backup: {schedule: nightly}}":    "/postgres/backup/schedule",
		"postgres: {backup: {endpoint: https://a}}":  "/postgres/backup/endpoint",
		"postgres: {operator: zalando}":              "/postgres/operator",
	} {
		refused(t, "data", values(t, text), want)
	}
}

func refused(t *testing.T, chart string, vals map[string]any, want string) {
	t.Helper()
	if _, err := render(t, chart, "waste", vals); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("no %q in: %v", want, err)
	}
}

// TestTheDatabaseMayBeOutside: nothing of ours is left, and policies let API, worker and migration there.
func TestTheDatabaseMayBeOutside(t *testing.T) {
	t.Parallel()
	manifest, err := render(t, "data", "data", values(t, external))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects(t, manifest) {
		if o.GetName() != "default-deny" {
			t.Errorf("%s %s is left", o.GetKind(), o.GetName())
		}
	}
	manifest, err = render(t, "service", "waste",
		values(t, serviceValues(t, "waste"), "networkPolicy: {externalData: [10.9.0.0/24]}"))
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]bool{}
	for _, o := range objects(t, manifest) {
		if o.GetKind() != "NetworkPolicy" {
			continue
		}
		for _, rule := range typed[networkingv1.NetworkPolicy](t, o).Spec.Egress {
			for _, to := range rule.To {
				if to.IPBlock != nil && to.IPBlock.CIDR == "10.9.0.0/24" && rule.Ports[0].Port.IntValue() == 5432 {
					allowed[o.GetName()] = true
				}
			}
		}
	}
	if !allowed["waste"] || !allowed["waste-migrate"] {
		t.Errorf("only %v may go there", allowed)
	}
}
