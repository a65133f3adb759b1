package charts_test

import (
	"slices"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const mergeable = "nginx.org/mergeable-ingress-type"

// TestF5TakesEveryIngress: F5's controller gives a host to one master and its minions, and refuses all other
// Ingresses of it. The certificate is the master's, for all of its paths.
func TestF5TakesEveryIngress(t *testing.T) {
	t.Parallel()
	certificate, masters := gateway(t)
	names, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	for host, master := range masters {
		if got := certified(t, master)[host]; got != text(certificate, "spec", "secretName") {
			t.Errorf("%s shows the certificate in %q", host, got)
		}
		if master.GetNamespace() != certificate.GetNamespace() || !slices.Contains(names, host) {
			t.Errorf("no certificate for %s", host)
		}
	}
	minions := 0
	for _, v := range variants(t) {
		manifest, err := render(t, v.chart, v.release, v.vals)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range objects(t, manifest) {
			if o.GetKind() != "Ingress" || text(o, "metadata", "annotations", mergeable) == "" {
				continue
			}
			minions++
			master := masters[hosts(t, o)[0]]
			if o.GetAnnotations()[mergeable] != "minion" || master == nil ||
				text(o, "spec", "ingressClassName") != text(master, "spec", "ingressClassName") ||
				len(certified(t, o)) > 0 {
				t.Errorf("%s: %s is no minion of a master", v.name, o.GetName())
			}
		}
	}
	if want := 11; minions != want { // five services in two strategies, and the files
		t.Errorf("%d minions, not %d", minions, want)
	}
}

// TestTheFirstCertificateComes: the authority asks on port 80 and is sent to HTTPS, where F5's controller
// speaks to nobody as long as there is no certificate at all.
func TestTheFirstCertificateComes(t *testing.T) {
	t.Parallel()
	certificate, masters := gateway(t)
	if text(certificate, "metadata", "annotations", "cert-manager.io/issue-temporary-certificate") != "true" {
		t.Error("there is no certificate before the first")
	}
	issuer := find(t, "Issuer")[0]
	if text(certificate, "spec", "issuerRef", "name") != issuer.GetName() ||
		certificate.GetNamespace() != issuer.GetNamespace() {
		t.Errorf("the certificate's issuer is not %s", issuer.GetName())
	}
	solvers, _, _ := unstructured.NestedSlice(issuer.Object, "spec", "acme", "solvers")
	if len(solvers) != 1 {
		t.Fatalf("%d ways to answer", len(solvers))
	}
	solver, _, _ := unstructured.NestedMap(solvers[0].(map[string]any), "http01", "ingress")
	answer := &unstructured.Unstructured{Object: solver}
	if text(answer, "ingressTemplate", "metadata", "annotations", mergeable) != "minion" {
		t.Error("the answer's Ingress is no minion, so it is refused")
	}
	for host, master := range masters {
		if text(answer, "ingressClassName") != text(master, "spec", "ingressClassName") {
			t.Errorf("another controller answers for %s", host)
		}
	}
}

// gateway is the certificate, and the master of each host.
func gateway(t *testing.T) (certificate *unstructured.Unstructured, masters map[string]*unstructured.Unstructured) {
	t.Helper()
	masters = map[string]*unstructured.Unstructured{}
	for _, o := range find(t, "Ingress") {
		if o.GetAnnotations()[mergeable] == "master" {
			masters[hosts(t, o)[0]] = o
		}
	}
	if len(masters) != 2 {
		t.Fatalf("masters of %d hosts", len(masters))
	}
	return find(t, "Certificate")[0], masters
}

// find are the objects of a kind of charts/ingress.
func find(t *testing.T, kind string) []*unstructured.Unstructured {
	t.Helper()
	manifest, err := renderPlatform(t, platformCase{chart: "ingress", namespace: "ingress", values: "flavor: f5"})
	if err != nil {
		t.Fatal(err)
	}
	found := slices.DeleteFunc(objects(t, manifest), func(o *unstructured.Unstructured) bool {
		return o.GetKind() != kind
	})
	if len(found) == 0 {
		t.Fatalf("no %s", kind)
	}
	return found
}

func text(o *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(o.Object, path...)
	return value
}

func hosts(t *testing.T, ingress *unstructured.Unstructured) []string {
	t.Helper()
	return named(t, ingress, "rules", "host")
}

// certified are the Secrets of the hosts that an Ingress speaks TLS for.
func certified(t *testing.T, ingress *unstructured.Unstructured) map[string]string {
	t.Helper()
	secrets := map[string]string{}
	list, _, err := unstructured.NestedSlice(ingress.Object, "spec", "tls")
	if err != nil {
		t.Fatal(err)
	}
	for _, item := range list {
		entry := &unstructured.Unstructured{Object: item.(map[string]any)}
		names, _, _ := unstructured.NestedStringSlice(entry.Object, "hosts")
		for _, name := range names {
			secrets[name] = text(entry, "secretName")
		}
	}
	return secrets
}
