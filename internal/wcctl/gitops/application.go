package gitops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Namespace is Argo CD's own, in which its Applications are.
const Namespace = "argocd"

const ours = "app.kubernetes.io/part-of=wastecoach"

// The words of Argo CD's that decide.
const (
	synced      = "Synced"
	outOfSync   = "OutOfSync"
	healthy     = "Healthy"
	degraded    = "Degraded"
	running     = "Running"
	failed      = "Failed"
	failedError = "Error"
)

// ErrNoArgoCD is a cluster without Argo CD's kinds.
var ErrNoArgoCD = errors.New("this cluster knows no Applications: Argo CD is not in it")

// application is what an Application says of itself. Its field names are Argo CD's.
type application struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Status status `json:"status"`
}

type status struct {
	Sync struct {
		Status string `json:"status"`
		// Revisions are those of the sources, in their order: the charts', then the values'.
		Revisions []string `json:"revisions"`
	} `json:"sync"`
	Health     health     `json:"health"`
	Resources  []resource `json:"resources"`
	Conditions []struct {
		Type    string `json:"type"`
		Message string `json:"message"`
	} `json:"conditions"`
	Operation *struct {
		Phase   string `json:"phase"`
		Message string `json:"message"`
		Result  struct {
			Revisions []string   `json:"revisions"`
			Resources []resource `json:"resources"`
		} `json:"syncResult"`
	} `json:"operationState"`
}

type health struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// resource is an object of an Application: as it is, or how its last sync ended.
type resource struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Status is Synced or OutOfSync, of a sync Synced or SyncFailed.
	Status string `json:"status"`
	// Health is empty where Argo CD keeps it elsewhere, which it does unless
	// controller.resource.health.persist says otherwise.
	Health *health `json:"health"`
	// HookPhase and Message are of a sync alone.
	HookPhase string `json:"hookPhase"`
	Message   string `json:"message"`
}

func (r resource) String() string {
	if r.Namespace == "" {
		return r.Kind + " " + r.Name
	}
	return r.Kind + " " + r.Namespace + "/" + r.Name
}

// ofValues is the revision of Git's values among those of the sources.
func ofValues(revisions []string) string {
	if len(revisions) == 0 {
		return ""
	}
	return revisions[len(revisions)-1]
}

// text tells how it stands in a few words.
func (s status) text() string {
	parts := []string{s.Sync.Status, s.Health.Status}
	if o := s.Operation; o != nil && o.Phase == running {
		parts = append(parts, "syncing: "+firstLine(o.Message))
	}
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p == "" }), ", ")
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// troubles name what keeps an Application from being as Git says: conditions, what could not be synced,
// what is not healthy.
func (s status) troubles() []string {
	var list []string
	for _, c := range s.Conditions {
		if strings.HasSuffix(c.Type, "Error") {
			list = append(list, c.Type+": "+firstLine(c.Message))
		}
	}
	if s.Operation != nil {
		for _, r := range s.Operation.Result.Resources {
			if r.Status == "SyncFailed" || r.HookPhase == failed || r.HookPhase == failedError {
				list = append(list, fmt.Sprintf("%s: %s", r, r.Message))
			}
		}
	}
	for _, r := range s.Resources {
		if r.Health != nil && r.Health.Status != healthy && r.Health.Status != "" {
			text := fmt.Sprintf("%s is %s: %s", r, r.Health.Status, r.Health.Message)
			list = append(list, strings.TrimSuffix(text, ": "))
		}
	}
	return list
}

// drifted are the objects that are not as Git says.
func (s status) drifted() []string {
	var list []string
	for _, r := range s.Resources {
		if r.Status == outOfSync {
			list = append(list, r.String())
		}
	}
	return list
}

var (
	version         = schema.GroupVersion{Group: "argoproj.io", Version: "v1alpha1"}
	applications    = version.WithResource("applications")
	applicationSets = version.WithResource("applicationsets")
)

// Argo asks Argo CD through the API server.
type Argo struct{ Client dynamic.Interface }

// application is one by its name; nil where it is not there.
func (a Argo) application(ctx context.Context, name string) (*application, error) {
	found, err := a.Client.Resource(applications).Namespace(Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, a.there(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the Application %s: %w", name, err)
	}
	return parse(found.Object)
}

// there fails where Argo CD's kinds are unknown.
func (a Argo) there(ctx context.Context) error {
	_, err := a.list(ctx)
	return err
}

// list are all Applications of the system.
func (a Argo) list(ctx context.Context) ([]application, error) {
	found, err := a.Client.Resource(applications).Namespace(Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: ours})
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return nil, ErrNoArgoCD
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the Applications: %w", err)
	}
	list := make([]application, 0, len(found.Items))
	for _, item := range found.Items {
		one, err := parse(item.Object)
		if err != nil {
			return nil, err
		}
		list = append(list, *one)
	}
	return list, nil
}

func parse(object map[string]any) (*application, error) {
	var a application
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object, &a); err != nil {
		return nil, fmt.Errorf("reading an Application: %w", err)
	}
	return &a, nil
}

// refresh makes Argo CD look into Git now, and not minutes later.
func (a Argo) refresh(ctx context.Context, group, name string) error {
	for _, one := range []struct {
		kind            schema.GroupVersionResource
		name, key, text string
	}{
		{applicationSets, group, "argocd.argoproj.io/application-set-refresh", "true"},
		{applications, name, "argocd.argoproj.io/refresh", "normal"},
	} {
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, one.key, one.text)
		_, err := a.Client.Resource(one.kind).Namespace(Namespace).
			Patch(ctx, one.name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "wcctl"})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("telling Argo CD of %s: %w", name, err)
		}
	}
	return nil
}
