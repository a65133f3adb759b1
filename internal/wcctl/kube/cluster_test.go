package kube

import (
	"context"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	metricsfake "k8s.io/metrics/pkg/client/clientset/versioned/fake"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// apiServer answers what client-go's fake has no answers for.
func apiServer(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, metricAudit, 3)
	})
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	return s
}

// connected is a Cluster whose objects are those of a snapshot.
func connected(t *testing.T, address string, s *snapshot) *Cluster {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	write(t, path, fmt.Sprintf(`apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: %q, insecure-skip-tls-verify: true}}]
users: [{name: a, user: {token: t}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
`, address))
	c, err := Connect(path)
	if err != nil {
		t.Fatal(err)
	}
	var objects []runtime.Object
	for i := range s.nodes.value {
		objects = append(objects, &s.nodes.value[i], &s.leases.value[i])
	}
	for i := range s.pods.value {
		objects = append(objects, &s.pods.value[i])
	}
	for i := range s.daemonSets.value {
		objects = append(objects, &s.daemonSets.value[i])
	}
	for i := range s.deployments.value {
		objects = append(objects, &s.deployments.value[i])
	}
	c.client = fake.NewClientset(objects...)
	usage := metricsfake.NewSimpleClientset()
	for i := range s.usage.value {
		if err := usage.Tracker().Create(nodeMetrics, &s.usage.value[i], ""); err != nil {
			t.Fatal(err)
		}
	}
	c.usage = usage
	c.lookup = func(context.Context, string) error { return nil }
	return c
}

func TestLook(t *testing.T) {
	t.Parallel()
	server := apiServer(t)
	opts := options()
	opts.Version = ""
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	opts.Run = func(_ context.Context, m fleet.Machine, _ string) (string, error) {
		if m.Role == fleet.Worker {
			return "", nil
		}
		return "file: etc/kubernetes/pki/apiserver.crt\n" + string(block), nil
	}
	cluster := connected(t, server.URL, healthy())
	if err := cluster.RecordBackup(t.Context(), Backup{At: time.Now(), File: "backup.tar.gz"}); err != nil {
		t.Fatal(err)
	}
	report := cluster.Look(t.Context(), opts)
	for _, c := range report.Conditions {
		// The fake serves its own version.
		if c.State != OK && c.Name != "versions" {
			t.Errorf("%s is %s: %s", c.Name, c.State, c.Message)
		}
	}
	if len(report.Certificates) != 2 || report.Certificates[1].Name != "apiserver.crt" {
		t.Errorf("certificates: %+v", report.Certificates)
	}
	if len(report.Nodes) != 3 {
		t.Fatalf("nodes: %+v", report.Nodes)
	}
	want := Node{
		Name: "demo-control-plane", Role: fleet.ControlPlane, Ready: true, Address: "10.77.0.11",
		Version: "v1.36.3", Created: began, CPUMilli: 150, MemoryBytes: 512 << 20,
		CPUTotalMilli: 2000, MemoryTotalBytes: 4 << 30,
	}
	got := report.Nodes[0]
	got.Created = got.Created.UTC()
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestLookAtADeadServer(t *testing.T) {
	t.Parallel()
	server := apiServer(t)
	c := connected(t, server.URL, healthy())
	server.Close()
	report := c.Look(t.Context(), options())
	if got := find(t, report.Conditions, "api-server"); got.State != Failing {
		t.Errorf("%+v", got)
	}
	if got := find(t, report.Conditions, "certificates"); got.State != Unknown {
		t.Errorf("%+v", got)
	}
	if len(report.Nodes) != 0 {
		t.Errorf("nodes: %+v", report.Nodes)
	}
}

func TestConnectNamesItsFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none")
	if _, err := Connect(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
}
