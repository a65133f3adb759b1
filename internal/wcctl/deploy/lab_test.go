package deploy_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

// TestTheLabTrustsItself: Traefik can check the ACME server, and logins know the provider.
func TestTheLabTrustsItself(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.deployer.Spec.Spec.Target = spec.Local
	w.deployer.Edge = "10.77.0.12"
	r := request("1", "")
	r.Services, r.Platform = nil, true
	w.deployer.Spec.Spec.Platform = map[string]spec.Release{
		"storage": {Disabled: true}, "data": {Disabled: true}, "autoscaling": {Disabled: true},
	}
	if _, err := w.deployer.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	secret := func(name string) *corev1.Secret {
		t.Helper()
		s, err := w.kube.CoreV1().Secrets("lab").Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	pebble := secret("pebble").StringData
	pair, err := tls.X509KeyPair([]byte(pebble["tls.crt"]), []byte(pebble["tls.key"]))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := w.kube.CoreV1().ConfigMaps("ingress").Get(t.Context(), "pebble-ca", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca.Data["ca.crt"]))
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{DNSName: "pebble.lab.svc", Roots: roots}); err != nil {
		t.Error(err)
	}
	var settings struct {
		Issuer  string
		Clients []struct{ Secret string }
	}
	if err := json.Unmarshal([]byte(secret("idp").StringData["settings.json"]), &settings); err != nil {
		t.Fatal(err)
	}
	kept := map[string]string{}
	if err := json.Unmarshal(w.secrets.data, &kept); err != nil {
		t.Fatal(err)
	}
	if settings.Issuer != "https://idp.wastecoach.test" ||
		!strings.Contains(kept["auth-providers"], settings.Clients[0].Secret) {
		t.Errorf("the provider is %+v, users log in at another one", settings)
	}
	pebbles, _ := w.revisions["lab"][0].Values["pebble"].(map[string]any)
	if pebbles["edgeAddress"] != "10.77.0.12" {
		t.Errorf("pebble's values are %v", pebbles)
	}
	// The other versions stay as they are, and so does this one.
	r.Keep, r.Image.Tag = true, ""
	w.deployer.Edge = "10.77.0.13"
	if _, err := w.deployer.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	idp, _ := w.revisions["lab"][1].Values["idp"].(map[string]any)
	if image, _ := idp["image"].(map[string]any); image["tag"] != "1" {
		t.Errorf("the provider's values are %v", idp)
	}
}

func TestNobodyCouldLogIn(t *testing.T) {
	t.Parallel()
	w := setup(t)
	r := request("1", "")
	r.Services = []string{"auth"}
	if _, err := w.deployer.Run(t.Context(), r); !errors.Is(err, deploy.ErrNoProviders) {
		t.Errorf("the error is %v", err)
	}
}
