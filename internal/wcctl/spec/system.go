package spec

import "maps"

// Overrides are the values of charts/service that the settings stand for.
func (s Service) Overrides() map[string]any {
	values := maps.Clone(s.Values)
	if values == nil {
		values = map[string]any{}
	}
	for block, count := range map[string]int{"api": s.Replicas, "worker": s.Workers} {
		if count == 0 {
			continue
		}
		inner := map[string]any{}
		if written, ok := values[block].(map[string]any); ok {
			inner = maps.Clone(written)
		}
		inner["replicas"] = count
		values[block] = inner
	}
	return values
}
