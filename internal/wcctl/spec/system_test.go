package spec_test

import (
	"reflect"
	"testing"
)

func TestServicesAreRead(t *testing.T) {
	t.Parallel()
	const services = `  services:
    all: {values: {logLevel: debug}}
    waste: {strategy: blue-green, replicas: 4, values: {api: {maxConns: 2}, worker: {env: {A: b}}}}
`
	c, faults := check(localFile + services)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	waste := c.Spec.Services["waste"]
	want := map[string]any{
		"api": map[string]any{"maxConns": 2, "replicas": 4}, "worker": map[string]any{"env": map[string]any{"A": "b"}},
	}
	if got := waste.Overrides(); waste.Strategy != "blue-green" || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", waste.Strategy, got, want)
	}
	if got := c.Spec.Services["all"].Overrides()["logLevel"]; got != "debug" {
		t.Errorf("all: %v", got)
	}
	if c.Spec.Domain != "wastecoach.test" || c.Spec.Ingress.Flavor != "compat" ||
		c.Spec.Images.Registry != "wastecoach.io" {
		t.Errorf("the defaults are %+v", c.Spec)
	}
}

func TestAnEmptyDomainStaysEmpty(t *testing.T) {
	t.Parallel()
	c, faults := check(localFile + "  domain: \"\"\n")
	if len(faults) > 0 || c.Spec.Domain != "" {
		t.Errorf("%q, %v", c.Spec.Domain, faults)
	}
}
