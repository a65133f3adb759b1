package charts_test

import (
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestTheProjectLetsAllChartsIn: what Argo CD's project does not list is refused at the first sync.
func TestTheProjectLetsAllChartsIn(t *testing.T) {
	t.Parallel()
	project := appProject(t)
	namespaces := named(t, project, "destinations", "namespace")
	clusterWide := named(t, project, "clusterResourceWhitelist", "kind")
	known := []string{"ClusterRole", "ClusterRoleBinding", "StorageClass", "IngressClass", "APIService"}
	check := func(name, namespace, manifest string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(namespaces, namespace) {
			t.Errorf("%s: the namespace %s is not the project's", name, namespace)
		}
		for _, o := range objects(t, manifest) {
			switch own := o.GetNamespace(); {
			case o.GetKind() == "Secret":
				t.Errorf("%s has a Secret, which the project forbids", name)
			case own == "" && slices.Contains(known, o.GetKind()) && !slices.Contains(clusterWide, o.GetKind()):
				t.Errorf("%s: %s is not the project's", name, o.GetKind())
			case own != "" && !slices.Contains(namespaces, own):
				t.Errorf("%s: the namespace %s of %s is not the project's", name, own, o.GetKind())
			}
		}
	}
	for _, v := range variants(t) {
		manifest, err := render(t, v.chart, v.release, v.vals)
		check(v.name, v.release, manifest, err)
	}
	for _, c := range platformCases() {
		if c.chart != "gitops" {
			manifest, err := renderPlatform(t, c)
			check(c.name, c.namespace, manifest, err)
		}
	}
}

func appProject(t *testing.T) *unstructured.Unstructured {
	t.Helper()
	manifest, err := renderPlatform(t, platformCase{chart: "gitops", namespace: "argocd"})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects(t, manifest) {
		if o.GetKind() == "AppProject" {
			return o
		}
	}
	t.Fatal("there is no project")
	return nil
}

// named are the values of a key in a list of the project's.
func named(t *testing.T, project *unstructured.Unstructured, list, key string) []string {
	t.Helper()
	items, _, err := unstructured.NestedSlice(project.Object, "spec", list)
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, item := range items {
		value, _ := item.(map[string]any)[key].(string)
		values = append(values, value)
	}
	if len(values) == 0 || strings.Contains(strings.Join(values, ""), "*") {
		t.Fatalf("%s is %v", list, values)
	}
	return values
}
