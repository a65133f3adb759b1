package deploy_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	restfake "k8s.io/client-go/rest/fake"

	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
)

const (
	readyCertificate = `{"status": {"conditions": [{"type": "Ready", "status": "True", "message": "up to date"}]}}`
	oldCertificate   = `{"metadata": {"generation": 2}, "status": {"conditions": [{"type": "Ready", "status": "True",
"observedGeneration": 1, "message": "of before"}]}}`
	noCertificate = `{"status": {"conditions": [{"type": "Ready", "status": "False", "message": "no Secret"}]}}`
	noChallenges  = `{"items": []}`
	challenge     = `{"items": [{"spec": {"dnsName": "api.example.org"}, "status": {"state": "pending",
"reason": "Waiting for HTTP-01 challenge propagation: no such host"}}]}`
)

func TestTheCertificateIsAwaitedLast(t *testing.T) {
	t.Parallel()
	w := f5(t)
	w.hasClass(t)
	w.answers(t, oldCertificate, noChallenges, noCertificate, noChallenges, noCertificate, challenge,
		noCertificate, challenge, readyCertificate)
	r := deploy.Request{Platform: true, Services: []string{"waste"}, Image: deploy.Image{Tag: "1"}}
	if _, err := w.deployer.Run(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range w.events {
		if e.Phase == "certificate" {
			told = append(told, e.Text)
		}
	}
	want := []string{
		"", "of before", "no Secret",
		"api.example.org is pending: Waiting for HTTP-01 challenge propagation: no such host", "",
	}
	if !slices.Equal(told, want) {
		t.Errorf("it tells %q", told)
	}
	if last := w.deployer.Phases(r); last[len(last)-1][0] != "certificate" {
		t.Errorf("its phases are %v", last)
	}
	if _, standing := w.revisions["waste"]; !standing {
		t.Error("the services wait for the certificate")
	}
}

func TestTheCertificateThatDoesNotComeSaysWhy(t *testing.T) {
	t.Parallel()
	w := f5(t)
	w.hasClass(t)
	w.answers(t, noCertificate, challenge)
	w.deployer.Timeout = 50 * time.Millisecond
	outcomes, err := w.deployer.Run(t.Context(), deploy.Request{Platform: true})
	var failed *deploy.CertificateError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "api.example.org is pending: Waiting for HTTP-01") {
		t.Errorf("it says %v", err)
	}
	if len(outcomes) == 0 || outcomes[0].Release != "ingress" || !outcomes[0].Changed {
		t.Errorf("what stands is %+v", outcomes)
	}
}

func TestYourOwnCertificateIsNotAwaited(t *testing.T) {
	t.Parallel()
	git := f5(t)
	git.hasClass(t)
	git.answers(t, "")
	if _, err := git.deployer.Run(t.Context(), deploy.Request{Platform: true}); err != nil {
		t.Error(err)
	}
	w := f5(t)
	w.hasClass(t)
	own := w.deployer.Spec.Spec.Platform["ingress"]
	own.Values = map[string]any{"acme": map[string]any{"enabled": false}}
	w.deployer.Spec.Spec.Platform["ingress"] = own
	if _, err := w.deployer.Run(t.Context(), deploy.Request{Platform: true}); err != nil {
		t.Error(err)
	}
}

// hasClass is F5's controller, as far as anybody sees.
func (w *world) hasClass(t *testing.T) {
	t.Helper()
	class := &networkingv1.IngressClass{ObjectMeta: metav1.ObjectMeta{Name: "nginx"}}
	_, err := w.kube.NetworkingV1().IngressClasses().Create(t.Context(), class, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// answers is cert-manager: the certificate and, while it is not ready, its challenges, by turns; the last two
// stay. An empty text is a certificate that is not there.
func (w *world) answers(t *testing.T, texts ...string) {
	t.Helper()
	next := 0
	w.deployer.Kube = withREST{w.kube, &restfake.RESTClient{
		NegotiatedSerializer: scheme.Codecs,
		Client: restfake.CreateHTTPClient(func(r *http.Request) (*http.Response, error) {
			text := texts[next]
			want := "/apis/cert-manager.io/v1/namespaces/ingress/certificates/gateway"
			if strings.Contains(text, "items") {
				want = "/apis/acme.cert-manager.io/v1/namespaces/ingress/challenges"
			}
			if r.URL.Path != want {
				t.Errorf("it asks for %s", r.URL.Path)
			}
			if next++; next == len(texts) {
				next = max(0, len(texts)-2)
			}
			status := http.StatusOK
			if text == "" {
				status = http.StatusNotFound
			}
			return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text))}, nil
		}),
	}}
}

// withREST is a fake client that can also ask for what has no types here.
type withREST struct {
	kubernetes.Interface
	client rest.Interface
}

func (w withREST) CoreV1() typedcorev1.CoreV1Interface {
	return coreWithREST{w.Interface.CoreV1(), w.client}
}

type coreWithREST struct {
	typedcorev1.CoreV1Interface
	client rest.Interface
}

func (c coreWithREST) RESTClient() rest.Interface { return c.client }
