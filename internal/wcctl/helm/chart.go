package helm

import (
	"fmt"
	"io/fs"
	"maps"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"sigs.k8s.io/yaml"
)

// Chart is a chart out of a file system.
type Chart struct {
	files fs.FS
	name  string
}

// OpenChart finds the chart in the folder of that name.
func OpenChart(files fs.FS, name string) (Chart, error) {
	sub, err := fs.Sub(files, name)
	if err != nil {
		return Chart{}, fmt.Errorf("opening the chart %s: %w", name, err)
	}
	if _, err := fs.Stat(sub, "Chart.yaml"); err != nil {
		return Chart{}, fmt.Errorf("opening the chart %s: %w", name, err)
	}
	return Chart{files: sub, name: name}, nil
}

// load reads the chart anew: Helm's actions change what they are given.
func (c Chart) load() (*chart.Chart, error) {
	var files []*archive.BufferedFile
	err := fs.WalkDir(c.files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(c.files, path)
		files = append(files, &archive.BufferedFile{Name: path, Data: data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the chart %s: %w", c.name, err)
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return nil, fmt.Errorf("reading the chart %s: %w", c.name, err)
	}
	return loaded, nil
}

// Values reads one of the chart's values files; one that is not there is empty.
func (c Chart) Values(path string) (map[string]any, error) {
	data, err := fs.ReadFile(c.files, path)
	if err != nil {
		return map[string]any{}, nil //nolint:nilerr // a chart need not have one
	}
	return ParseValues(data, c.name+"/"+path)
}

// Knows tells whether the chart's own values have the key, e.g. ingress.flavor.
func (c Chart) Knows(key string) bool {
	values, err := c.Values("values.yaml")
	if err != nil {
		return false
	}
	parts := strings.Split(key, ".")
	for i, part := range parts {
		value, ok := values[part]
		if !ok || i == len(parts)-1 {
			return ok
		}
		if values, ok = value.(map[string]any); !ok {
			return false
		}
	}
	return false
}

// ParseValues reads a values file; name is for errors.
func ParseValues(data []byte, name string) (map[string]any, error) {
	values := map[string]any{}
	if err := yaml.Unmarshal(data, &values); err != nil {
		return nil, fmt.Errorf("reading the values %s: %w", name, err)
	}
	return values, nil
}

// Merge lays values over others, deeply; neither is changed.
func Merge(under, over map[string]any) map[string]any {
	merged := maps.Clone(under)
	if merged == nil {
		merged = map[string]any{}
	}
	for key, value := range over {
		below, ok := merged[key].(map[string]any)
		above, both := value.(map[string]any)
		if ok && both {
			value = Merge(below, above)
		}
		merged[key] = value
	}
	return merged
}
