package gitops_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/wastecoach/wastecoach/charts"
	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/gitops"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube/kubetest"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// stage is a real repository and a real API server with Argo CD's own kinds. Argo CD itself is played:
// whenever wcctl tells how an Application stands, the next standing of the script is written.
type stage struct {
	t        *testing.T
	dir      string
	name     string
	delivery *gitops.Delivery
	apps     dynamic.ResourceInterface
	script   []func()
	told     []string
}

func enter(t *testing.T, config *rest.Config, name string) *stage {
	t.Helper()
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, dir: origin(t), name: name, apps: client.Resource(schema.GroupVersionResource{
		Group: "argoproj.io", Version: "v1alpha1", Resource: "applications",
	}).Namespace(gitops.Namespace)}
	s.delivery = &gitops.Delivery{
		Repo: clone(t, "file://"+s.dir), Path: "deploy", Argo: gitops.Argo{Client: client},
		Helm: helm.New(config, io.Discard), Services: deploy.Services(), Poll: time.Millisecond,
		Tell: func(release, text string) {
			s.told = append(s.told, release+": "+text)
			if len(s.script) > 0 {
				next := s.script[0]
				s.script = s.script[1:]
				next()
			}
		},
	}
	app := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
		"metadata": map[string]any{
			"name": name, "labels": map[string]any{"app.kubernetes.io/part-of": "wastecoach"},
		},
		"spec": map[string]any{
			"project":     "wastecoach",
			"destination": map[string]any{"server": "https://kubernetes.default.svc", "namespace": name},
			"sources":     []any{map[string]any{"repoURL": "https://example.org/charts.git"}},
		},
	}}
	if _, err := s.apps.Create(t.Context(), app, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// stands writes how the Application stands; extra is laid over its status.
func (s *stage) stands(sync, health string, extra map[string]any) {
	s.t.Helper()
	app, err := s.apps.Get(s.t.Context(), s.name, metav1.GetOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	head := git(s.t, s.dir, "for-each-ref", "--format=%(objectname)", "refs/heads/main")
	app.Object["status"] = helm.Merge(map[string]any{
		"sync": map[string]any{
			"status": sync, "revisions": []any{"charts", head},
			"comparedTo": map[string]any{"destination": map[string]any{}, "source": map[string]any{"repoURL": "x"}},
		},
		"health": map[string]any{"status": health},
	}, extra)
	_, err = s.apps.Update(s.t.Context(), app, metav1.UpdateOptions{FieldValidation: metav1.FieldValidationStrict})
	if err != nil {
		s.t.Fatal(err)
	}
}

// syncs is the usual way to a new commit; before it the Application is as an earlier one says.
func (s *stage) syncs() {
	s.script = append(s.script,
		func() { s.stands("OutOfSync", "Healthy", nil) },
		func() { s.stands("Synced", "Progressing", operation("Running", "one of two tasks is done", nil)) },
		func() { s.stands("Synced", "Healthy", operation("Succeeded", "", nil)) })
}

// fails is a sync whose migration fails.
func (s *stage) fails() {
	s.script = append(s.script,
		func() { s.stands("OutOfSync", "Healthy", nil) },
		func() {
			head := git(s.t, s.dir, "rev-parse", "main")
			s.stands("OutOfSync", "Missing", operation("Failed", "a task failed", map[string]any{
				"revision": "", "revisions": []any{"charts", head},
				"resources": []any{map[string]any{
					"group": "batch", "version": "v1", "kind": "Job", "namespace": s.name, "name": s.name + "-migrate",
					"hookPhase": "Failed", "syncPhase": "PreSync", "message": "Job has reached the backoff limit",
				}},
			}))
		})
}

func operation(phase, message string, result map[string]any) map[string]any {
	state := map[string]any{
		"phase": phase, "message": message, "startedAt": "2026-11-26T08:00:00Z",
		"operation": map[string]any{"sync": map[string]any{}},
	}
	if result != nil {
		state["syncResult"] = result
	}
	return map[string]any{"operationState": state}
}

// target is a release of charts/service with an image.
func (s *stage) target(tag string) helm.Target {
	s.t.Helper()
	chart, err := helm.OpenChart(charts.Files, "service")
	if err != nil {
		s.t.Fatal(err)
	}
	values, err := chart.Values("values/" + s.name + ".yaml")
	if err != nil {
		s.t.Fatal(err)
	}
	values = helm.Merge(values, map[string]any{"image": map[string]any{"repository": "x/" + s.name, "tag": tag}})
	return helm.Target{Name: s.name, Namespace: s.name, Chart: chart, Values: values}
}

func (s *stage) upgrade(tag string) (helm.Revision, error) {
	s.t.Helper()
	return s.delivery.Upgrade(s.t.Context(), s.target(tag), options("deployed "+tag))
}

func options(description string) helm.Options {
	return helm.Options{Timeout: time.Minute, Description: description}
}

func (s *stage) file() string {
	s.t.Helper()
	return git(s.t, s.dir, "show", "main:deploy/services/"+s.name+".yaml")
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	config := kubetest.Real(t)
	kubetest.Define(t, config, kubetest.ArgoCD, kubetest.KEDA)
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gitops.Namespace}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]func(t *testing.T){
		"a version is a commit":      func(t *testing.T) { aVersionIsACommit(enter(t, config, "waste")) },
		"a failed sync":              func(t *testing.T) { aFailedSyncNamesWhatFailed(enter(t, config, "users")) },
		"a timeout":                  func(t *testing.T) { aTimeoutNamesWhatIsDegraded(enter(t, config, "locations")) },
		"what failed is taken back":  func(t *testing.T) { whatFailedIsTakenBack(enter(t, config, "auth")) },
		"the deployer by way of Git": func(t *testing.T) { theDeployerUsesGit(enter(t, config, "recycling"), client) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t)
		})
	}
}

func aVersionIsACommit(s *stage) {
	t := s.t
	s.stands("Synced", "Healthy", nil)
	s.syncs()
	r, err := s.upgrade("v1")
	if err != nil || r.Status != helm.Deployed || r.Revision != 1 || r.Description != "deployed v1" {
		t.Fatalf("%+v, %v", r, err)
	}
	want := "# What Argo CD lays over the chart's values. wcctl deploy changes the image; the rest is yours.\n" +
		"image:\n  repository: x/waste\n  tag: v1"
	if got := s.file(); got != want {
		t.Errorf("the file is\n%s", got)
	}
	if got := git(t, s.dir, "log", "--format=%s", "main"); got != "waste: deployed v1" {
		t.Errorf("the history is %s", got)
	}
	// The first one is of before: Synced and Healthy is not enough.
	if told := []string{
		"waste: Argo CD: Synced, Healthy", "waste: Argo CD: OutOfSync, Healthy",
		"waste: Argo CD: Synced, Progressing, syncing: one of two tasks is done", "waste: Argo CD: Synced, Healthy",
	}; !slices.Equal(s.told, told) {
		t.Errorf("it told %q", s.told)
	}
	if changes, err := s.delivery.Diff(t.Context(), s.target("v1")); err != nil || len(changes) > 0 {
		t.Errorf("the same version changes %+v, %v", changes, err)
	}
	changes, err := s.delivery.Diff(t.Context(), s.target("v2"))
	if err != nil || len(changes) == 0 || !strings.Contains(changes[0].Diff, "+        image: x/waste:v2") &&
		!strings.Contains(changes[0].Diff, "x/waste:v2") {
		t.Errorf("another version changes %+v, %v", changes, err)
	}
	s.syncs()
	r, err = s.delivery.Upgrade(t.Context(), s.target("v0"), helm.Options{
		Timeout: time.Minute, Description: "rolled back to v0", NoHooks: true,
	})
	if err != nil || r.Revision != 2 || !strings.HasSuffix(s.file(), "tag: v0\nmigrations:\n  enabled: false") {
		t.Errorf("%+v, %v: a way back migrates nothing:\n%s", r, err, s.file())
	}
	s.syncs()
	if _, err := s.upgrade("v3"); err != nil || !strings.HasSuffix(s.file(), "migrations:\n  enabled: true") {
		t.Errorf("the next deployment migrates again: %v\n%s", err, s.file())
	}
}

func aFailedSyncNamesWhatFailed(s *stage) {
	s.stands("Synced", "Healthy", nil)
	s.fails()
	_, err := s.upgrade("v1")
	var found *gitops.StandstillError
	if !errors.As(err, &found) || !strings.Contains(err.Error(), "the sync failed: a task failed") ||
		!reflect.DeepEqual(found.Troubles, []string{"Job users/users-migrate: Job has reached the backoff limit"}) {
		s.t.Errorf("the error is %v", err)
	}
}

func aTimeoutNamesWhatIsDegraded(s *stage) {
	ctx, cancel := context.WithCancelCause(s.t.Context())
	defer cancel(nil)
	late := errors.New("time is up")
	s.stands("Synced", "Healthy", nil)
	s.script = []func(){
		func() {
			s.stands("Synced", "Degraded", map[string]any{"resources": []any{map[string]any{
				"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "locations", "name": "locations",
				"status": "Synced",
				"health": map[string]any{"status": "Degraded", "message": "it exceeded its progress deadline"},
			}}})
		},
		func() { cancel(late) },
	}
	_, err := s.delivery.Upgrade(ctx, s.target("v1"), options("deployed v1"))
	if !errors.Is(err, late) || !strings.Contains(err.Error(), "Synced, Degraded\n    "+
		"Deployment locations/locations is Degraded: it exceeded its progress deadline") {
		s.t.Errorf("the error is %v", err)
	}
	drifts, count, err := s.delivery.Argo.Drifts(s.t.Context())
	if err != nil || count == 0 || !slices.ContainsFunc(drifts, func(d gitops.Drift) bool {
		return d.String() == "locations is Synced, Degraded: "+
			"Deployment locations/locations is Degraded: it exceeded its progress deadline"
	}) {
		s.t.Errorf("%d, %+v, %v", count, drifts, err)
	}
}

func whatFailedIsTakenBack(s *stage) {
	t := s.t
	s.stands("Synced", "Healthy", nil)
	s.syncs()
	if _, err := s.upgrade("v1"); err != nil {
		t.Fatal(err)
	}
	s.fails()
	if _, err := s.upgrade("v2"); err == nil {
		t.Fatal("it did not fail")
	}
	s.script = []func(){
		func() { s.stands("OutOfSync", "Healthy", nil) },
		func() { s.stands("Synced", "Healthy", operation("Succeeded", "", nil)) },
	}
	err := s.delivery.Rollback(t.Context(), "auth", "auth", 1, helm.Options{
		Timeout: time.Minute, Description: "rolled back to v1", NoHooks: true,
	})
	if err != nil || !strings.Contains(s.file(), "tag: v1\n") {
		t.Fatalf("%v\n%s", err, s.file())
	}
	var standing []string
	revisions, err := s.delivery.History("auth", "auth")
	for _, r := range revisions {
		standing = append(standing, string(r.Status)+" "+r.Description)
	}
	if want := []string{
		"superseded deployed v1", "failed deployed v2", "deployed rolled back to v1",
	}; err != nil || !slices.Equal(standing, want) {
		t.Errorf("the history is %q, %v", standing, err)
	}
}

// theDeployerUsesGit goes the way of wcctl deploy: a version, one that fails and is taken back, none.
func theDeployerUsesGit(s *stage, client kubernetes.Interface) {
	t := s.t
	cluster := &spec.Cluster{}
	cluster.Spec.Target, cluster.Spec.Delivery = spec.Hosts, spec.GitOps
	cluster.Spec.Domain, cluster.Spec.Git = "example.org", &spec.Git{URL: "file://" + s.dir}
	spec.Default(cluster, spec.Releases{Default: "1.36.3"})
	d := &deploy.Deployer{
		Kube: client, Helm: s.delivery, Written: s.delivery.Values, Charts: charts.Files, Spec: cluster,
		Secrets: &memory{}, Sink: event.SinkFunc(func(event.Event) {}), Timeout: time.Minute, Poll: time.Millisecond,
		Evidence: func(string, []byte) (string, error) { return "evidence.txt", nil },
	}
	if err := s.delivery.Repo.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	run := func(tag string) ([]deploy.Outcome, error) {
		return d.Run(t.Context(), deploy.Request{Services: []string{s.name}, Image: deploy.Image{Tag: tag}})
	}
	s.stands("Synced", "Healthy", nil)
	s.syncs()
	if outcomes, err := run("v1"); err != nil || !outcomes[0].Changed || outcomes[0].Revision != 1 {
		t.Fatalf("%+v, %v", outcomes, err)
	}
	s.fails()
	// The failure is told first; the next telling is of the way back.
	s.script = append(s.script, func() {}, func() { s.stands("Synced", "Healthy", nil) })
	_, err := run("v2")
	var failed *deploy.FailureError
	if !errors.As(err, &failed) || failed.RolledBackTo != 1 || !strings.Contains(err.Error(), "recycling-migrate") {
		t.Fatalf("the error is %v", err)
	}
	if outcomes, err := run("v1"); err != nil || outcomes[0].Changed {
		t.Errorf("%+v, %v", outcomes, err)
	}
	if got := git(t, s.dir, "log", "--format=%s", "main"); got !=
		"recycling: rolled back to v1\nrecycling: deployed v2\nrecycling: deployed v1" {
		t.Errorf("the history is\n%s", got)
	}
	if !strings.Contains(s.file(), "domain: example.org") {
		t.Errorf("the file lacks the settings:\n%s", s.file())
	}
}

// memory keeps secrets for one test.
type memory struct{ data []byte }

func (m *memory) Load() ([]byte, error)  { return m.data, nil }
func (m *memory) Save(data []byte) error { m.data = data; return nil }

// TestWithoutArgoCD needs no API server but the answer of one that knows no Applications.
func TestWithoutArgoCD(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	client, err := dynamic.NewForConfig(&rest.Config{Host: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := (gitops.Argo{Client: client}).Drifts(t.Context()); !errors.Is(err, gitops.ErrNoArgoCD) {
		t.Errorf("the error is %v", err)
	}
}
