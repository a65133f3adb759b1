package helm

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	godiff "github.com/rogpeppe/go-internal/diff"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/wastecoach/wastecoach/internal/wcctl/redact"
)

// Change is how one object would differ.
type Change struct {
	// Object is kind namespace/name.
	Object string `json:"object"`
	// Action is create, update or delete.
	Action string `json:"action"`
	// Diff is unified, without secrets.
	Diff string `json:"diff"`
}

// Diff tells what Upgrade would change of what is live: each object is applied by a dry run of the API
// server, so defaults and what others own are no changes.
func (c *Client) Diff(ctx context.Context, t Target) ([]Change, error) {
	cfg, g, err := c.open(t.Namespace)
	if err != nil {
		return nil, err
	}
	found, err := history(cfg, t.Name)
	if err != nil {
		return nil, err
	}
	rendered, err := render(ctx, cfg, g, t, len(found) > 0)
	if err != nil {
		return nil, err
	}
	want, err := parse(rendered.Manifest)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(c.config)
	if err != nil {
		return nil, fmt.Errorf("preparing the comparison: %w", err)
	}
	d := differ{target: t, client: client, mapper: g.mapper}
	have := map[string]*unstructured.Unstructured{}
	if len(found) > 0 {
		objects, err := parse(lastGood(found).Manifest)
		if err != nil {
			return nil, err
		}
		for _, o := range objects {
			have[d.title(o)] = o
		}
	}
	return d.compare(ctx, want, have)
}

// lastGood is the revision whose objects are there: the newest that was complete, else the newest.
func lastGood(found []*release.Release) *release.Release {
	for _, r := range slices.Backward(found) {
		if revisionOf(r).Good() {
			return r
		}
	}
	return found[len(found)-1]
}

// render asks the API server for nothing but its version and kinds: those that the release itself
// brings may not be there yet.
func render(
	ctx context.Context, cfg *action.Configuration, g *getter, t Target, installed bool,
) (*release.Release, error) {
	loaded, err := t.Chart.load()
	if err != nil {
		return nil, err
	}
	version, err := g.discovery.ServerVersion()
	if err != nil {
		return nil, fmt.Errorf("asking the API server for its version: %w", err)
	}
	kinds, err := action.GetVersionSet(g.discovery)
	if err != nil {
		return nil, fmt.Errorf("asking the API server for its kinds: %w", err)
	}
	a := action.NewInstall(cfg)
	a.ReleaseName, a.Namespace, a.WaitStrategy = t.Name, t.Namespace, kube.HookOnlyStrategy
	a.DryRunStrategy, a.IsUpgrade = action.DryRunClient, installed
	a.KubeVersion = &common.KubeVersion{Version: version.GitVersion, Major: version.Major, Minor: version.Minor}
	a.APIVersions = kinds
	result, err := a.RunWithContext(ctx, loaded, t.Values)
	if err != nil {
		return nil, fmt.Errorf("rendering the release %s: %w", t.Name, err)
	}
	return asRelease(result)
}

// parse reads the objects of a manifest.
func parse(manifest string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	for _, text := range strings.Split("\n"+manifest, "\n---") {
		content := map[string]any{}
		if err := yaml.Unmarshal([]byte(text), &content); err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		if len(content) > 0 {
			objects = append(objects, &unstructured.Unstructured{Object: content})
		}
	}
	return objects, nil
}

// differ compares objects with those of the cluster.
type differ struct {
	target Target
	client dynamic.Interface
	mapper meta.RESTMapper
}

func (d differ) title(o *unstructured.Unstructured) string {
	namespace := o.GetNamespace()
	if namespace == "" {
		namespace = d.target.Namespace
	}
	return o.GetKind() + " " + namespace + "/" + o.GetName()
}

// compare takes from have what is wanted still; the rest would be deleted.
func (d differ) compare(
	ctx context.Context, want []*unstructured.Unstructured, have map[string]*unstructured.Unstructured,
) ([]Change, error) {
	var changes []Change
	for _, o := range want {
		delete(have, d.title(o))
		change, err := d.one(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", d.title(o), err)
		}
		if change != nil {
			changes = append(changes, *change)
		}
	}
	for _, title := range slices.Sorted(maps.Keys(have)) {
		live, err := d.live(ctx, have[title])
		if err != nil {
			return nil, fmt.Errorf("comparing %s: %w", title, err)
		}
		if live != nil {
			changes = append(changes, unified(title, "delete", live, nil))
		}
	}
	return changes, nil
}

// one is nil where nothing would change.
func (d differ) one(ctx context.Context, o *unstructured.Unstructured) (*Change, error) {
	live, err := d.live(ctx, o)
	if err != nil {
		return nil, err
	}
	d.own(o)
	if live == nil {
		change := unified(d.title(o), "create", nil, o)
		return &change, nil
	}
	client, err := d.resource(o)
	if err != nil {
		return nil, err
	}
	data, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	force := true
	after, err := client.Patch(ctx, o.GetName(), types.ApplyPatchType, data, metav1.PatchOptions{
		FieldManager: manager, Force: &force, DryRun: []string{metav1.DryRunAll},
	})
	if err != nil {
		return nil, err
	}
	change := unified(d.title(o), "update", live, after)
	if change.Diff == "" {
		return nil, nil //nolint:nilnil // no difference is no error
	}
	return &change, nil
}

// own adds what Helm adds when it applies an object.
func (d differ) own(o *unstructured.Unstructured) {
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["app.kubernetes.io/managed-by"] = "Helm"
	o.SetLabels(labels)
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations["meta.helm.sh/release-name"] = d.target.Name
	annotations["meta.helm.sh/release-namespace"] = d.target.Namespace
	o.SetAnnotations(annotations)
}

// live is the object as it is in the cluster, nil where there is none.
func (d differ) live(ctx context.Context, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client, err := d.resource(o)
	if meta.IsNoMatchError(err) {
		return nil, nil //nolint:nilnil // its kind comes with the release
	}
	if err != nil {
		return nil, err
	}
	live, err := client.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // it would be made
	}
	return live, err
}

func (d differ) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	mapping, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		return d.client.Resource(mapping.Resource), nil
	}
	namespace := o.GetNamespace()
	if namespace == "" {
		namespace = d.target.Namespace
	}
	return d.client.Resource(mapping.Resource).Namespace(namespace), nil
}

func unified(title, action string, before, after *unstructured.Unstructured) Change {
	before, after = stripped(before), stripped(after)
	hide(before, after)
	return Change{
		Object: title, Action: action,
		Diff: redact.Text(string(godiff.Diff(title+" (live)", text(before), title+" (new)", text(after)))),
	}
}

// stripped is the object without what the API server writes itself.
func stripped(o *unstructured.Unstructured) *unstructured.Unstructured {
	if o == nil {
		return nil
	}
	o = o.DeepCopy()
	for _, field := range []string{
		"managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink",
	} {
		unstructured.RemoveNestedField(o.Object, "metadata", field)
	}
	unstructured.RemoveNestedField(o.Object, "status")
	return o
}

func text(o *unstructured.Unstructured) []byte {
	if o == nil {
		return nil
	}
	out, err := yaml.Marshal(o.Object)
	if err != nil {
		return []byte(err.Error())
	}
	return out
}

// hide leaves of a Secret's values only whether they differ.
func hide(before, after *unstructured.Unstructured) {
	for _, field := range []string{"data", "stringData"} {
		old, now := secretField(before, field), secretField(after, field)
		for key, value := range now {
			now[key] = redact.Hidden
			if was, ok := old[key]; ok && was != value {
				now[key] = redact.Hidden + ", another one"
			}
		}
		for key := range old {
			old[key] = redact.Hidden
		}
	}
}

func secretField(o *unstructured.Unstructured, field string) map[string]any {
	if o == nil || o.GetKind() != "Secret" {
		return nil
	}
	data, _ := o.Object[field].(map[string]any)
	return data
}
