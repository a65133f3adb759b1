package kubetest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// Source is where CustomResourceDefinitions are: files of a module that tools/kubeschema pins.
type Source struct{ module, pattern string }

// The sources.
var (
	KEDA        = Source{"github.com/kedacore/keda/v2", "config/crd/bases/keda.sh_*.yaml"}
	ArgoCD      = Source{"github.com/argoproj/argo-cd/v3", "manifests/crds/*-crd.yaml"}
	CertManager = Source{"github.com/cert-manager/cert-manager", "deploy/crds/*cert-manager.io_*.yaml"}
	// BarmanCloud takes CloudNativePG's backups.
	BarmanCloud = Source{"github.com/cloudnative-pg/plugin-barman-cloud", "config/crd/bases/*.yaml"}
)

// Define makes the kinds of the sources and waits until the API server serves them. The test's folder is
// below the repository's root.
func Define(t testing.TB, config *rest.Config, sources ...Source) {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	crds := client.Resource(schema.GroupVersionResource{
		Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions",
	})
	var made []schema.GroupVersionKind
	for _, file := range files(t, sources) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var crd unstructured.Unstructured
		if err := yaml.Unmarshal(data, &crd.Object); err != nil {
			t.Fatal(err)
		}
		if _, err := crds.Create(t.Context(), &crd, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
		made = append(made, schema.GroupVersionKind{Group: group, Kind: kind})
	}
	served(t, config, made)
}

func files(t testing.TB, sources []Source) []string {
	t.Helper()
	var all []string
	for _, s := range sources {
		cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", s.module)
		cmd.Dir = filepath.Join(root(t), "tools", "kubeschema")
		out, err := cmd.Output()
		var downloaded struct{ Dir string }
		if err == nil {
			err = json.Unmarshal(out, &downloaded)
		}
		if err != nil {
			t.Fatalf("asking for %s: %v", s.module, err)
		}
		found, err := filepath.Glob(filepath.Join(downloaded.Dir, filepath.FromSlash(s.pattern)))
		if err != nil || len(found) == 0 {
			t.Fatalf("no definitions in %s: %v", downloaded.Dir, err)
		}
		all = append(all, found...)
	}
	return all
}

// root is the repository's.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("there is no go.mod above the test's folder")
		}
		dir = filepath.Dir(dir)
	}
}

// served waits: each kind is served a little after it is established.
func served(t testing.TB, config *rest.Config, kinds []schema.GroupVersionKind) {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	end := time.After(startPatience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		missing := lacking(client, kinds)
		if missing == "" {
			return
		}
		select {
		case <-end:
			t.Fatal(missing)
		case <-tick.C:
		}
	}
}

func lacking(client discovery.DiscoveryInterface, kinds []schema.GroupVersionKind) string {
	_, lists, err := client.ServerGroupsAndResources()
	if err != nil {
		return err.Error()
	}
	known := map[string]bool{}
	for _, list := range lists {
		version, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			return err.Error()
		}
		for _, r := range list.APIResources {
			known[version.Group+"/"+r.Kind] = true
		}
	}
	for _, k := range kinds {
		if !known[k.Group+"/"+k.Kind] {
			return fmt.Sprintf("%s of %s is not served", k.Kind, k.Group)
		}
	}
	return ""
}
