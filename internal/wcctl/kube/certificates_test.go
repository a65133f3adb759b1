package kube

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

var nodeMetrics = schema.GroupVersionResource{Group: "metrics.k8s.io", Version: "v1beta1", Resource: "nodes"}

// certificate is a PEM text that ends in that many days, with a key before it as kubelet writes it.
func certificate(t *testing.T, days int, authority bool) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, IsCA: authority,
		BasicConstraintsValid: true,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Duration(days)*day + time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw}))
}

// The script runs on a folder that looks like a machine's root; no key may leave it.
func TestCertificateScript(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		write(t, path, text)
	}
	ca, caKey := certificate(t, 3650, true)
	server, _ := certificate(t, 20, false)
	kubelet, kubeletKey := certificate(t, 60, false)
	put("etc/kubernetes/pki/ca.crt", ca)
	put("etc/kubernetes/pki/ca.key", caKey)
	put("etc/kubernetes/pki/etcd/server.crt", server+ca)
	put("var/lib/kubelet/pki/kubelet-client-current.pem", kubelet+kubeletKey)
	put("etc/kubernetes/admin.conf", "users:\n- user:\n    client-certificate-data: "+
		base64.StdEncoding.EncodeToString([]byte(server))+"\n    client-key-data: c2VjcmV0\n")
	put("etc/kubernetes/kubelet.conf", "users: [{user: {client-certificate: /var/lib/x.pem}}]\n")

	script := strings.Replace(certificateScript, "cd /", "cd "+root, 1)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "PRIVATE") || strings.Contains(string(out), "c2VjcmV0") {
		t.Errorf("a key leaves the machine:\n%s", out)
	}
	certs, err := parseFiles("m", string(out))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range certs {
		got = append(got, c.String()+" "+string(c.State()))
	}
	want := []string{
		"ca.crt of m: 3650 days left ok",
		"etcd/server.crt of m: 20 days left failing",
		"kubelet-client-current.pem of m: 60 days left ok",
		"admin.conf of m: 20 days left failing",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestBrokenCertificateIsNamed(t *testing.T) {
	t.Parallel()
	_, err := parseFiles("m", "file: etc/kubernetes/pki/ca.crt\nnothing\n")
	if err == nil || err.Error() != "ca.crt of m holds no certificate" {
		t.Errorf("%v", err)
	}
}
