package deploy_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// world is a cluster in which Helm is played: a revision makes the colors' Deployments and turns the
// Service, as charts/service does.
type world struct {
	deployer *deploy.Deployer
	kube     *fake.Clientset
	secrets  *memory
	evidence []string

	mu        sync.Mutex
	events    []event.Event
	revisions map[string][]helm.Revision
	// active is the color that requests went to after each revision.
	active []string
	// before is asked ahead of every revision; an error is how it fails, halfway.
	before func(description string) error
	// unserved are a release's kinds that the cluster does not know.
	unserved map[string][]schema.GroupKind
	// rollbacks are the revisions that were gone back to.
	rollbacks []int
}

func setup(t *testing.T) *world {
	t.Helper()
	w := &world{
		kube: fake.NewClientset(), secrets: &memory{}, revisions: map[string][]helm.Revision{},
		before: func(string) error { return nil },
	}
	cluster := &spec.Cluster{Metadata: spec.Metadata{Name: "demo"}}
	cluster.Spec.Target = spec.Local
	spec.Default(cluster, spec.Releases{Default: "1.36.3"})
	cluster.Spec.Target = spec.Hosts // the lab's authority has a test of its own
	w.deployer = &deploy.Deployer{
		Kube: w.kube, Helm: w, Charts: os.DirFS("testdata/charts"), Spec: cluster, Secrets: w.secrets,
		Sink: event.SinkFunc(func(e event.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events = append(w.events, e)
		}),
		Evidence: func(service string, text []byte) (string, error) {
			w.evidence = append(w.evidence, string(text))
			return service + "-evidence.txt", nil
		},
		Timeout: time.Minute, Poll: time.Millisecond,
	}
	return w
}

// memory keeps secrets for one test.
type memory struct{ data []byte }

func (m *memory) Load() ([]byte, error)  { return m.data, nil }
func (m *memory) Save(data []byte) error { m.data = data; return nil }

func request(tag string, strategy spec.Strategy) deploy.Request {
	return deploy.Request{Services: []string{"waste"}, Image: deploy.Image{Tag: tag}, Strategy: strategy}
}

func (w *world) deploy(t *testing.T, tag string, strategy spec.Strategy) error {
	t.Helper()
	_, err := w.deployer.Run(t.Context(), request(tag, strategy))
	return err
}

func (w *world) mustDeploy(t *testing.T, tag string, strategy spec.Strategy) {
	t.Helper()
	if err := w.deploy(t, tag, strategy); err != nil {
		t.Fatalf("deploying %s: %v", tag, err)
	}
}

// Upgrade plays a revision: what a failing one applied stays.
func (w *world) Upgrade(ctx context.Context, t helm.Target, o helm.Options) (helm.Revision, error) {
	if err := ctx.Err(); err != nil {
		return helm.Revision{}, err
	}
	list := w.revisions[t.Name]
	if n := len(list); n > 0 && list[n-1].Status == helm.Deployed {
		list[n-1].Status = helm.Superseded
	}
	r := helm.Revision{Revision: len(list) + 1, Status: helm.Deployed, Description: o.Description, Values: t.Values}
	err := w.before(o.Description)
	if err != nil {
		r.Status = helm.Failed
	}
	w.revisions[t.Name] = append(list, r)
	if err := w.play(ctx, t.Name, t.Values); err != nil {
		return r, err
	}
	if err == nil {
		err = ctx.Err()
	}
	return r, err
}

// Rollback plays the values of an earlier revision.
func (w *world) Rollback(ctx context.Context, _, name string, to int, o helm.Options) error {
	w.rollbacks = append(w.rollbacks, to)
	values := w.revisions[name][to-1].Values
	w.revisions[name] = append(w.revisions[name], helm.Revision{
		Revision: len(w.revisions[name]) + 1, Status: helm.Deployed, Description: o.Description, Values: values,
	})
	return w.play(ctx, name, values)
}

func (w *world) History(_, name string) ([]helm.Revision, error) {
	return slices.Clone(w.revisions[name]), nil
}

// Diff tells a change unless the last revision has the same values.
func (w *world) Diff(_ context.Context, t helm.Target) ([]helm.Change, error) {
	list := w.revisions[t.Name]
	if n := len(list); n > 0 && sameValues(list[n-1].Values, t.Values) {
		return nil, nil
	}
	return []helm.Change{{Object: "Deployment " + t.Namespace + "/" + t.Name, Action: "update"}}, nil
}

func (w *world) Images(_ context.Context, t helm.Target) ([]string, error) {
	image, _ := t.Values["image"].(map[string]any)
	tag, _ := image["tag"].(string)
	return []string{"wastecoach.io/" + t.Name + ":" + tag}, nil
}

func (w *world) Unserved(_ context.Context, t helm.Target) ([]schema.GroupKind, error) {
	return w.unserved[t.Name], nil
}

func (w *world) Apply(context.Context, []byte) error { return nil }

// play makes the cluster as charts/service would.
func (w *world) play(ctx context.Context, service string, values map[string]any) error {
	if !slices.Contains(deploy.Services(), service) {
		return nil
	}
	image, _ := values["image"].(map[string]any)
	wanted, active := map[string]any{"rolling": image["tag"]}, "rolling"
	if values["strategy"] == "blue-green" {
		colors, _ := values["blueGreen"].(map[string]any)
		active, _ = colors["active"].(string)
		wanted = map[string]any{}
		for _, color := range []string{"rolling", "blue", "green"} {
			one, _ := colors[color].(map[string]any)
			wanted[color] = one["tag"]
		}
	}
	if tag, _ := wanted[active].(string); tag == "" {
		return errors.New("the active color has no pods")
	}
	labels := map[string]string{"app.kubernetes.io/name": service, "app.kubernetes.io/component": "api"}
	deployments := w.kube.AppsV1().Deployments(service)
	for _, color := range []string{"rolling", "blue", "green"} {
		name := service + "-" + color
		tag, _ := wanted[color].(string)
		_ = deployments.Delete(ctx, name, metav1.DeleteOptions{})
		if tag == "" {
			continue
		}
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
			"wastecoach.io/color": color,
		}}}
		for key, value := range labels {
			d.Labels[key] = value
		}
		d.Status.AvailableReplicas = 1
		d.Spec.Template.Spec.Containers = []corev1.Container{{Image: "wastecoach.io/" + service + ":" + tag}}
		if _, err := deployments.Create(ctx, d, metav1.CreateOptions{}); err != nil {
			return err
		}
	}
	services := w.kube.CoreV1().Services(service)
	_ = services.Delete(ctx, service, metav1.DeleteOptions{})
	_, err := services.Create(ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"wastecoach.io/color": active}},
	}, metav1.CreateOptions{})
	w.active = append(w.active, active+" "+wanted[active].(string))
	return err
}

// standing is the active color and all Deployments, e.g. "blue: blue=1 green=2".
func (w *world) standing(t *testing.T) string {
	t.Helper()
	svc, err := w.kube.CoreV1().Services("waste").Get(t.Context(), "waste", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	list, err := w.kube.AppsV1().Deployments("waste").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	parts := []string{}
	for _, d := range list.Items {
		_, tag, _ := strings.Cut(d.Spec.Template.Spec.Containers[0].Image, ":")
		parts = append(parts, d.Labels["wastecoach.io/color"]+"="+tag)
	}
	slices.Sort(parts)
	return svc.Spec.Selector["wastecoach.io/color"] + ": " + strings.Join(parts, " ")
}

type (
	helmTarget   = helm.Target
	helmOptions  = helm.Options
	helmRevision = helm.Revision
)
