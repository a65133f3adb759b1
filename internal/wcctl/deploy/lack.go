package deploy

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/helm"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	// ClassGroup stands for the IngressClass that no chart of ours makes.
	ClassGroup = "networking.k8s.io"
	kedaGroup  = "keda.sh"
)

// LackError is what others bring to the cluster and is not there: Kinds by their API group.
type LackError struct{ Kinds map[string][]string }

// Error implements error.
func (e *LackError) Error() string {
	var parts []string
	for _, group := range slices.Sorted(maps.Keys(e.Kinds)) {
		parts = append(parts, strings.Join(e.Kinds[group], ", ")+" of "+group)
	}
	return "the cluster does not know " + strings.Join(parts, ", nor ")
}

// lacks looks, before anything changes, for what the releases need and do not bring.
func (d *Deployer) lacks(ctx context.Context, works []work) error {
	lack := &LackError{Kinds: map[string][]string{}}
	add := func(group, kind string) {
		if !slices.Contains(lack.Kinds[group], kind) {
			lack.Kinds[group] = append(lack.Kinds[group], kind)
		}
	}
	for _, w := range works {
		kinds, err := d.Helm.Unserved(ctx, w.target)
		if err != nil {
			return err
		}
		for _, kind := range kinds {
			if kind.Group != kedaGroup || d.CRDs == nil { // the bundle's come with its release
				add(kind.Group, kind.Kind)
			}
		}
		class, err := d.missingClass(ctx, w)
		if err != nil {
			return err
		}
		if class != "" {
			add(ClassGroup, "IngressClass "+class)
		}
	}
	if len(lack.Kinds) == 0 {
		return nil
	}
	return lack
}

// missingClass is the name of the class that F5's controller should have made; empty where it has.
func (d *Deployer) missingClass(ctx context.Context, w work) (string, error) {
	if w.target.Namespace != ingressNamespace {
		return "", nil
	}
	defaults, err := w.target.Chart.Values("values.yaml")
	if err != nil {
		return "", err
	}
	values := helm.Merge(defaults, w.target.Values)
	name, _ := values["className"].(string)
	if values["flavor"] != string(spec.F5) {
		return "", nil
	}
	_, err = d.Kube.NetworkingV1().IngressClasses().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return name, nil
	case err != nil:
		return "", fmt.Errorf("looking for the IngressClass %s: %w", name, err)
	}
	return "", nil
}
