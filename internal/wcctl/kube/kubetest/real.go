package kubetest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

const (
	realToken = "the-test"
	// startPatience is for a loaded machine.
	startPatience = 3 * time.Minute
)

// Real starts etcd and kube-apiserver as `wcctl bundle create` has built them, without controllers and
// nodes, and ends them with the test. Where there are none it skips the test.
func Real(t testing.TB) *rest.Config {
	t.Helper()
	dir := t.TempDir()
	etcd, apiserver := program(t, "go-etcd-*", "etcd"), program(t, "go-kubernetes-*", "kube-apiserver")
	clients, peers, secure := Address(t), Address(t), Address(t)
	Start(t, etcd, "--data-dir", filepath.Join(dir, "etcd"), "--unsafe-no-fsync", "--log-level", "error",
		"--listen-client-urls", "http://"+clients, "--advertise-client-urls", "http://"+clients,
		"--listen-peer-urls", "http://"+peers, "--initial-advertise-peer-urls", "http://"+peers,
		"--initial-cluster", "default=http://"+peers)
	key, tokens := filepath.Join(dir, "sa.key"), filepath.Join(dir, "tokens.csv")
	writeKey(t, key)
	if err := os.WriteFile(tokens, []byte(realToken+",test,test,system:masters\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(secure)
	if err != nil {
		t.Fatal(err)
	}
	Start(t, apiserver, "--etcd-servers", "http://"+clients, "--cert-dir", filepath.Join(dir, "certs"),
		"--bind-address", "127.0.0.1", "--secure-port", port, "--service-cluster-ip-range", "10.0.0.0/24",
		"--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", key,
		"--service-account-signing-key-file", key, "--token-auth-file", tokens, "--authorization-mode", "RBAC",
		"--disable-admission-plugins", "ServiceAccount")
	config := &rest.Config{
		Host: "https://" + secure, BearerToken: realToken, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{Insecure: true}, // its certificate is minutes old
	}
	await(t, config)
	return config
}

// program finds one in the cache of bundles.
func program(t testing.TB, step, name string) string {
	t.Helper()
	cache := os.Getenv("WCCTL_CACHE_DIR")
	if cache == "" {
		cache = "/var/cache/wastecoach"
	}
	found, err := filepath.Glob(filepath.Join(cache, "build", step, "out", name))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skipf("no %s in %s: wcctl bundle create builds it", name, cache)
	}
	return found[0]
}

// Start runs a program until the test ends; what it says is told where the test has failed.
func Start(t testing.TB, path string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), path, args...)
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(path), tail(output.String()))
		}
	})
}

func tail(text string) string { return text[max(0, len(text)-4000):] }

// Address is one of this computer's that is free now.
func Address(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func writeKey(t testing.TB, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// await returns when the API server takes requests.
func await(t testing.TB, config *rest.Config) {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), startPatience)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		err := client.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatal(fmt.Errorf("the API server did not start: %w", err))
		case <-tick.C:
		}
	}
}
