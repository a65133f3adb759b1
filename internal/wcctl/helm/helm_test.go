package helm

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/release/common"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube/kubetest"
)

const releaseName, space = "demo", "demo"

func demo(t *testing.T, values map[string]any) Target {
	t.Helper()
	chart, err := OpenChart(os.DirFS("testdata"), "demo")
	if err != nil {
		t.Fatal(err)
	}
	return Target{Name: releaseName, Namespace: space, Chart: chart, Values: values}
}

// TestAgainstARealAPIServer is one story, as starting the server takes seconds.
func TestAgainstARealAPIServer(t *testing.T) {
	t.Parallel()
	config := kubetest.Real(t)
	client := New(config, io.Discard)
	kube, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: space},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	greeting := func() string {
		t.Helper()
		m, err := kube.CoreV1().ConfigMaps(space).Get(t.Context(), "demo", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return m.Data["greeting"]
	}
	o := Options{Timeout: time.Minute, Description: "deployed 1"}

	if list, err := client.History(space, releaseName); err != nil || len(list) != 0 {
		t.Fatalf("before anything: %v, %v", list, err)
	}
	changes, err := client.Diff(t.Context(), demo(t, nil))
	if err != nil || len(changes) != 2 || changes[0].Action != "create" {
		t.Fatalf("before anything it differs by %+v, %v", changes, err)
	}
	first, err := client.Upgrade(t.Context(), demo(t, map[string]any{"greeting": "one"}), o)
	if err != nil || first.Revision != 1 || first.Status != Deployed || first.Description != "deployed 1" {
		t.Fatalf("installed: %+v, %v", first, err)
	}
	changes, err = client.Diff(t.Context(), demo(t, map[string]any{"greeting": "one"}))
	if err != nil || len(changes) > 0 {
		t.Errorf("the same differs by %+v, %v", changes, err)
	}
	checkDiff(t, client)
	checkDrift(t, client, kube)

	if _, err := client.Upgrade(t.Context(), demo(t, map[string]any{"greeting": "two"}), o); err != nil {
		t.Fatal(err)
	}
	if got := greeting(); got != "two" {
		t.Errorf("after the upgrade it says %q", got)
	}
	if err := client.Rollback(t.Context(), space, releaseName, 1, o); err != nil {
		t.Fatal(err)
	}
	if got := greeting(); got != "one" {
		t.Errorf("after the rollback it says %q", got)
	}
	checkCutShort(t, client)
	checkMended(t, client)
	checkUnserved(t, config, client)
	if err := client.Uninstall(t.Context(), space, releaseName, o); err != nil {
		t.Fatal(err)
	}
	if list, err := client.History(space, releaseName); err != nil || len(list) != 0 {
		t.Errorf("after all: %v, %v", list, err)
	}
}

// checkDiff looks at what another greeting and another secret would change.
func checkDiff(t *testing.T, client *Client) {
	t.Helper()
	changes, err := client.Diff(t.Context(), demo(t, map[string]any{"greeting": "two", "secret": "second"}))
	if err != nil || len(changes) != 2 {
		t.Fatalf("%+v, %v", changes, err)
	}
	text := changes[0].Diff + changes[1].Diff
	for _, want := range []string{"-  greeting: one", "+  greeting: two", "ConfigMap demo/demo (live)", "another one"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	for _, secret := range []string{"Zmlyc3Q=", "c2Vjb25k", "first", "second", "managedFields"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in\n%s", secret, text)
		}
	}
}

// checkDrift edits an object by hand, and adds what is nobody's business.
func checkDrift(t *testing.T, client *Client, kube kubernetes.Interface) {
	t.Helper()
	patch := []byte(`{"data": {"greeting": "by hand", "other": "of others"}}`)
	_, err := kube.CoreV1().ConfigMaps(space).Patch(t.Context(), "demo", types.MergePatchType, patch,
		metav1.PatchOptions{FieldManager: "hand"})
	if err != nil {
		t.Fatal(err)
	}
	changes, err := client.Diff(t.Context(), demo(t, map[string]any{"greeting": "one"}))
	if err != nil || len(changes) != 1 {
		t.Fatalf("%+v, %v", changes, err)
	}
	if d := changes[0].Diff; !strings.Contains(d, "-  greeting: by hand") || strings.Contains(d, "-  other") {
		t.Errorf("the drift is\n%s", d)
	}
}

// checkCutShort ends a wait that would never end, and deploys again.
func checkCutShort(t *testing.T, client *Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	o := Options{Timeout: time.Hour, Description: "deployed stuck"}
	_, err := client.Upgrade(ctx, demo(t, map[string]any{"stuck": true}), o)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("cut short: %v", err)
	}
	list, err := client.History(space, releaseName)
	if err != nil || list[len(list)-1].Status != Failed {
		t.Errorf("the last revision is %+v, %v", list[len(list)-1], err)
	}
	if _, err := client.Upgrade(t.Context(), demo(t, nil), Options{Timeout: time.Minute}); err != nil {
		t.Error(err)
	}
}

// checkUnserved deploys what the API server does not know before, and what nobody makes ready.
func checkUnserved(t *testing.T, config *rest.Config, client *Client) {
	t.Helper()
	target := demo(t, map[string]any{"certificate": true})
	kinds, err := client.Unserved(t.Context(), target)
	if err != nil || len(kinds) != 1 || kinds[0].String() != "Certificate.cert-manager.io" {
		t.Errorf("the API server does not serve %v, %v", kinds, err)
	}
	kubetest.Define(t, config, kubetest.CertManager)
	if kinds, err = client.Unserved(t.Context(), target); err != nil || len(kinds) > 0 {
		t.Errorf("afterwards it does not serve %v, %v", kinds, err)
	}
	o := Options{Timeout: 10 * time.Second, Description: "applied", NoWait: true}
	target.Values["stuck"] = true
	if r, err := client.Upgrade(t.Context(), target, o); err != nil || r.Status != Deployed {
		t.Errorf("applied only: %+v, %v", r, err)
	}
}

// checkMended makes the last revision look as a killed run leaves it.
func checkMended(t *testing.T, client *Client) {
	t.Helper()
	cfg, _, err := client.open(space)
	if err != nil {
		t.Fatal(err)
	}
	found, err := history(cfg, releaseName)
	if err != nil {
		t.Fatal(err)
	}
	last := found[len(found)-1]
	last.SetStatus(common.StatusPendingUpgrade, "Preparing upgrade")
	if err := cfg.Releases.Update(last); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Upgrade(t.Context(), demo(t, nil), Options{Timeout: time.Minute}); err != nil {
		t.Errorf("after a killed run: %v", err)
	}
}

func TestChartsAndValues(t *testing.T) {
	t.Parallel()
	target := demo(t, nil)
	for key, want := range map[string]bool{
		"greeting": true, "ingress.flavor": true, "ingress.class": false, "none": false,
	} {
		if got := target.Chart.Knows(key); got != want {
			t.Errorf("it knows %s: %t", key, got)
		}
	}
	if _, err := OpenChart(os.DirFS("testdata"), "none"); err == nil {
		t.Error("a chart that is not there was opened")
	}
	under := map[string]any{"a": map[string]any{"b": 1, "c": 2}, "d": 3}
	merged := Merge(under, map[string]any{"a": map[string]any{"b": 4}, "d": map[string]any{}})
	if err := Set(merged, "a.e=5"); err != nil {
		t.Fatal(err)
	}
	inner, _ := merged["a"].(map[string]any)
	if inner["b"] != 4 || inner["c"] != 2 || inner["e"] != int64(5) || under["d"] != 3 {
		t.Errorf("merged to %v from %v", merged, under)
	}
}
