package deploy_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/runtime/schema"
	kubetesting "k8s.io/client-go/testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// f5 is a world whose way in is F5's controller with cert-manager.
func f5(t *testing.T) *world {
	t.Helper()
	w := setup(t)
	w.deployer.Spec.Spec.Ingress.Flavor = spec.F5
	w.deployer.Spec.Spec.Platform = map[string]spec.Release{
		"storage": {Disabled: true}, "data": {Disabled: true}, "autoscaling": {Disabled: true},
	}
	return w
}

func TestNothingChangesWhereSomethingIsLacking(t *testing.T) {
	t.Parallel()
	w := f5(t)
	w.unserved = map[string][]schema.GroupKind{
		"ingress": {
			{Group: "cert-manager.io", Kind: "Issuer"},
			{Group: "cert-manager.io", Kind: "Certificate"},
			{Group: "keda.sh", Kind: "ScaledObject"},
		},
	}
	_, err := w.deployer.Run(t.Context(), deploy.Request{Platform: true})
	var lack *deploy.LackError
	if !errors.As(err, &lack) {
		t.Fatal(err)
	}
	const want = "the cluster does not know Issuer, Certificate of cert-manager.io, nor ScaledObject of keda.sh, " +
		"nor IngressClass nginx of networking.k8s.io"
	if err.Error() != want {
		t.Errorf("it says %q", err)
	}
	changes := slices.DeleteFunc(w.kube.Actions(), func(a kubetesting.Action) bool { return a.GetVerb() == "get" })
	if len(changes) > 0 || len(w.revisions) > 0 {
		t.Errorf("it has changed %v, %v", changes, w.revisions)
	}
}

func TestWhatIsThereOrComesWithTheBundleIsNotLacking(t *testing.T) {
	t.Parallel()
	w := f5(t)
	w.unserved = map[string][]schema.GroupKind{"ingress": {{Group: "keda.sh", Kind: "ScaledObject"}}}
	w.deployer.CRDs = func(context.Context) ([][]byte, error) { return nil, nil }
	w.hasClass(t)
	w.answers(t, readyCertificate)
	if _, err := w.deployer.Run(t.Context(), deploy.Request{Platform: true}); err != nil {
		t.Error(err)
	}
}
