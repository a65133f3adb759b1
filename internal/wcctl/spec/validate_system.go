package spec

import (
	"maps"
	"slices"
)

// AllServices stands in services for each of them.
const AllServices = "all"

// system looks at what runs in the cluster.
func (v *validator) system() {
	s := v.c.Spec
	if s.Domain != "" {
		v.dnsName("spec.domain", s.Domain)
	}
	v.oneOf("spec.ingress.flavor", string(s.Ingress.Flavor), string(F5), string(Compat))
	if s.Images.Registry == "" {
		v.missing("spec.images.registry", "e.g. ghcr.io/you/wastecoach")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		path := "spec.services." + name
		v.oneOf(path, name, AllServices, "auth", "users", "waste", "recycling", "locations")
		service := s.Services[name]
		if service.Strategy != "" {
			v.oneOf(path+".strategy", string(service.Strategy), string(Rolling), string(BlueGreen))
		}
		v.pods(path+".replicas", service.Replicas)
		v.pods(path+".workers", service.Workers)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Platform)) {
		v.oneOf("spec.platform."+name, name, "storage", "data", "ingress", "autoscaling", "lab")
	}
}

// pods reports a number that is written and too small.
func (v *validator) pods(path string, count int) {
	if v.c.lines[path] > 0 && count < 1 {
		v.fault(path, "at least 1", "%d is too few", count)
	}
}
