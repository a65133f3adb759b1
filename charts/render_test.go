package charts_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"maps"
	"path"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/wastecoach/wastecoach/charts"
	"github.com/wastecoach/wastecoach/internal/migrate"
)

// kubeVersion is the release that charts are rendered for: the default of infra/versions.yaml.
const kubeVersion = "v1.36.3"

// load reads a chart out of the program, as wcctl does.
func load(t *testing.T, name string) *chart.Chart {
	t.Helper()
	var files []*archive.BufferedFile
	err := fs.WalkDir(charts.Files, name, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := charts.Files.ReadFile(p)
		files = append(files, &archive.BufferedFile{Name: strings.TrimPrefix(p, name+"/"), Data: data})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := loader.LoadFiles(files)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// values parses YAML texts and merges them, later ones over earlier ones.
func values(t *testing.T, texts ...string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, text := range texts {
		v, err := loader.LoadValues(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		all = loader.MergeMaps(all, v)
	}
	return all
}

// serviceValues is the values file of a service.
func serviceValues(t *testing.T, service string) string {
	t.Helper()
	data, err := charts.Files.ReadFile(path.Join("service/values", service+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// computed are a chart's values after its defaults.
func computed(t *testing.T, name string, vals map[string]any) common.Values {
	t.Helper()
	all, err := util.CoalesceValues(load(t, name), vals)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// render returns the manifest of a release, hooks included, in a namespace of its name.
func render(t *testing.T, name, releaseName string, vals map[string]any) (string, error) {
	t.Helper()
	return renderIn(t, name, releaseName, releaseName, vals)
}

// renderIn is render for a namespace of another name.
func renderIn(t *testing.T, name, releaseName, namespace string, vals map[string]any) (string, error) {
	t.Helper()
	version, err := common.ParseKubeVersion(kubeVersion)
	if err != nil {
		t.Fatal(err)
	}
	install := action.NewInstall(action.NewConfiguration())
	install.DryRunStrategy = action.DryRunClient
	install.ReleaseName, install.Namespace, install.KubeVersion = releaseName, namespace, version
	rel, err := install.RunWithContext(t.Context(), load(t, name), maps.Clone(vals))
	if err != nil {
		return "", err
	}
	r := rel.(*release.Release)
	var text strings.Builder
	for _, hook := range r.Hooks {
		text.WriteString("---\n# Source: " + hook.Path + "\n" + strings.TrimSpace(hook.Manifest) + "\n")
	}
	text.WriteString(strings.TrimSpace(r.Manifest) + "\n")
	return text.String(), nil
}

// objects parses what render returned.
func objects(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(manifest)), 1<<16)
	for {
		var o unstructured.Unstructured
		err := decoder.Decode(&o.Object)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if o.Object != nil {
			all = append(all, &o)
		}
	}
}

// variant is one way in which a chart is rendered.
type variant struct {
	name, chart, release string
	vals                 map[string]any
}

// cors adds to each flavor what only web pages need.
const (
	f5 = "ingress: {flavor: f5, corsOrigins: [https://app.wastecoach.test]}"
	// lab is what the lab sets: its certificate authority and names.
	lab = `{ca: {configMap: ca}, hostAliases: [{ip: 10.77.0.11, hostnames: [idp.wastecoach.test]}],
  ingress: {flavor: compat, corsOrigins: [https://app.wastecoach.test]}}`
	blueGreen = `{strategy: blue-green, image: {tag: v2},
  blueGreen: {active: blue, blue: {tag: v1}, green: {tag: v2}}}`
	outside  = "postgres: {backup: {endpoint: s3.ap-northeast-2.amazonaws.com, authoritySecretName: aws}}"
	external = `{postgres: {enabled: false}, redis: {enabled: false}, s3: {enabled: false}}`
)

// variants are all that goldens and checks look at.
func variants(t *testing.T) []variant {
	t.Helper()
	var all []variant
	for _, service := range migrate.Schemas() {
		for _, strategy := range []string{"rolling", "blue-green"} {
			for flavor, text := range map[string]string{"compat": lab, "f5": f5} {
				texts := []string{serviceValues(t, service), text}
				if strategy == "blue-green" {
					texts = append(texts, blueGreen)
				}
				all = append(all, variant{
					name: service + "-" + strategy + "-" + flavor, chart: "service", release: service,
					vals: values(t, texts...),
				})
			}
		}
	}
	// The one with its own S3, the other with one outside.
	for flavor, text := range map[string]string{"compat": "{}", "f5": f5 + "\n" + outside} {
		all = append(all, variant{name: "data-" + flavor, chart: "data", release: "data", vals: values(t, text)})
	}
	all = append(all, variant{
		name: "data-cloudnativepg", chart: "data", release: "data",
		vals: values(t, "postgres: {operator: cloudnativepg}"),
	})
	return append(all, variant{
		name: "fixed", chart: "service", release: "waste",
		vals: values(t, serviceValues(t, "waste"), "autoscaling: {enabled: false}"),
	})
}
