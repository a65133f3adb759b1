package kube_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube/kubetest"
)

func TestTunnel(t *testing.T) {
	t.Parallel()
	api := kubetest.New(t)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello from the pod")
	}))
	defer web.Close()
	api.Listens["waste/pod-1:8080"] = web.Listener.Addr().String()
	cluster, err := kube.Connect(api.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	tunnel, err := cluster.Tunnel(t.Context(), "waste", "pod-1", 8080)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // one tunnel leads many connections
		response, err := http.Get("http://" + tunnel.Address())
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || string(text) != "hello from the pod" {
			t.Errorf("%q, %v", text, err)
		}
		http.DefaultClient.CloseIdleConnections()
	}
	select {
	case <-tunnel.Lost():
		t.Error("lost while it works")
	default:
	}
	api.Cut()
	select {
	case <-tunnel.Lost():
	case <-time.After(10 * time.Second):
		t.Error("its loss is not told")
	}
	tunnel.Close()
	tunnel.Close()
}

func TestTunnelToADeadServer(t *testing.T) {
	t.Parallel()
	api := kubetest.New(t)
	cluster, err := kube.Connect(api.Kubeconfig(t))
	if err != nil {
		t.Fatal(err)
	}
	api.Close()
	_, err = cluster.Tunnel(t.Context(), "waste", "pod-1", 8080)
	if err == nil || !strings.Contains(err.Error(), "opening a tunnel to pod-1") {
		t.Errorf("%v", err)
	}
}
