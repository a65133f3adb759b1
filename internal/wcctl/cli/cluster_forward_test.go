package cli

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
)

// forwarding is a login to a machine that runs the server.
type forwarding struct {
	phase.Shell
	server string
}

func (f forwarding) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address != apiOnMachine {
		return nil, fmt.Errorf("connecting to %s", address)
	}
	return (&net.Dialer{}).DialContext(ctx, network, f.server)
}

func (forwarding) Close() error { return nil }

func TestAnAPIServerThatOnlySSHReachesIsReached(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"kind": "NodeList", "apiVersion": "v1", "items": [{"metadata": {"name": "demo"}}]}`)
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	config := api.NewConfig()
	config.Clusters["demo"] = &api.Cluster{
		Server: "https://192.0.2.1:6443", TLSServerName: "example.com", CertificateAuthorityData: authority,
	}
	config.Contexts["demo"] = &api.Context{Cluster: "demo"}
	config.CurrentContext = "demo"
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	forward := &apiForward{dial: func(context.Context, fleet.Machine, time.Duration) (phase.Shell, error) {
		return forwarding{server: server.Listener.Addr().String()}, nil
	}}
	reached, err := forward.reach(fleet.Machine{Name: "demo"}, path)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := kube.Connect(reached)
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := (&clusterAPI{Cluster: cluster}).Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Name != "demo" {
		t.Errorf("nodes %v, %v", nodes, err)
	}
	if err := forward.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(reached); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the copy with the administrator's key is still there: %v", err)
	}
	direct, err := forward.reach(fleet.Machine{APIAddress: "10.0.0.1:6443"}, path)
	if direct != path || err != nil {
		t.Errorf("an address that is reached is not used: %s, %v", direct, err)
	}
}
