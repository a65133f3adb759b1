package charts_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	discoveryclient "k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"sigs.k8s.io/yaml"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube/kubetest"
)

// unknownKinds have no CustomResourceDefinition that can be fetched here: F5's are in no Go module, and the Go
// proxy does not give CloudNativePG's.
var unknownKinds = map[string]bool{
	"Policy.k8s.nginx.org": true, "Cluster.postgresql.cnpg.io": true, "ScheduledBackup.postgresql.cnpg.io": true,
}

// warnings collects what an API server warns of.
type warnings struct {
	mu    sync.Mutex
	texts []string
}

// HandleWarningHeader implements rest.WarningHandler.
func (w *warnings) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func (w *warnings) take() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := w.texts
	w.texts = nil
	return texts
}

// apiServer is a real one, with a client, and what that client is warned of.
func apiServer(t *testing.T) (*rest.Config, dynamic.Interface, *warnings) {
	t.Helper()
	config, heard := kubetest.Real(t), &warnings{}
	config.WarningHandler = heard
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return config, client, heard
}

// TestDryRun lets a real API server, with KEDA's, Argo CD's and cert-manager's own definitions, look at every
// object. What it warns of, e.g. pods that their namespace's level forbids, is a fault.
func TestDryRun(t *testing.T) {
	t.Parallel()
	config, client, heard := apiServer(t)
	kubetest.Define(t, config, kubetest.KEDA, kubetest.ArgoCD, kubetest.CertManager, kubetest.BarmanCloud)
	mapper := kinds(t, config)
	namespaces(t, config)
	check := func(name, manifest string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects(t, manifest) {
			if kind := o.GroupVersionKind().GroupKind().String(); !unknownKinds[kind] {
				dryRun(t, client, mapper, name, o)
			}
		}
		for _, text := range heard.take() {
			t.Errorf("%s: the API server warns: %s", name, text)
		}
	}
	for _, v := range variants(t) {
		manifest, err := render(t, v.chart, v.release, v.vals)
		check(v.name, manifest, err)
	}
	for _, c := range platformCases() {
		manifest, err := renderPlatform(t, c)
		check(c.name, manifest, err)
	}
}

func dryRun(
	t *testing.T, client dynamic.Interface, mapper meta.RESTMapper, name string, o *unstructured.Unstructured,
) {
	t.Helper()
	gvk := o.GroupVersionKind()
	mapping, err := mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		t.Errorf("%s: %s: %v", name, gvk.Kind, err)
		return
	}
	data, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var target dynamic.ResourceInterface = client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		target = client.Resource(mapping.Resource).Namespace(o.GetNamespace())
	}
	force := true
	_, err = target.Patch(t.Context(), o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{
		DryRun: []string{metav1.DryRunAll}, FieldManager: "test", FieldValidation: metav1.FieldValidationStrict,
		Force: &force,
	})
	if err != nil {
		t.Errorf("%s: %s %s: %v", name, o.GetKind(), o.GetName(), err)
	}
}

// TestDryRunFindsFaults shows that the check above can fail.
func TestDryRunFindsFaults(t *testing.T) {
	t.Parallel()
	config, client, heard := apiServer(t)
	namespaces(t, config)
	deployment := func(field string) *unstructured.Unstructured {
		var o unstructured.Unstructured
		text := `{apiVersion: apps/v1, kind: Deployment, metadata: {name: a, namespace: data}, spec: {
selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}},
spec: {containers: [{name: a, image: a` + field + `}]}}}}`
		if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
			t.Fatal(err)
		}
		return &o
	}
	deployments := client.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"})
	create := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldValidation: metav1.FieldValidationStrict}
	_, err := deployments.Namespace("data").Create(t.Context(), deployment(", imagePolicy: Never"), create)
	if err == nil || !strings.Contains(err.Error(), "imagePolicy") {
		t.Errorf("a misspelled field: %v", err)
	}
	if _, err = deployments.Namespace("data").Create(t.Context(), deployment(""), create); err != nil {
		t.Error(err)
	}
	if texts := strings.Join(heard.take(), "\n"); !strings.Contains(texts, "would violate PodSecurity") {
		t.Errorf("a pod that may do all: the API server says %q", texts)
	}
}

func kinds(t *testing.T, config *rest.Config) meta.RESTMapper {
	t.Helper()
	client, err := discoveryclient.NewDiscoveryClientForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	groups, err := restmapper.GetAPIGroupResources(client)
	if err != nil {
		t.Fatal(err)
	}
	return restmapper.NewDiscoveryRESTMapper(groups)
}

// namespaces makes those of all releases: at the restricted level but for what needs the node.
func namespaces(t *testing.T, config *rest.Config) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	levels := map[string]string{}
	for _, v := range variants(t) {
		levels[v.release] = "restricted"
	}
	for _, c := range platformCases() {
		levels[c.namespace] = "restricted"
	}
	levels["storage"], levels["ingress"] = "privileged", "privileged"
	for name, level := range levels {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: name, Labels: map[string]string{"pod-security.kubernetes.io/warn": level},
		}}
		if _, err := client.CoreV1().Namespaces().Create(t.Context(), object, metav1.CreateOptions{}); err != nil &&
			!apierrors.IsAlreadyExists(err) {
			t.Fatal(err)
		}
	}
}

// await asks until there is no error, for as long as a busy machine may take.
func await(t *testing.T, what string, ask func() error) {
	t.Helper()
	end := time.After(time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return
		}
		select {
		case <-end:
			t.Fatalf("waiting for %s: %v", what, err)
		case <-tick.C:
		}
	}
}
