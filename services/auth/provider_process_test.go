package auth

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/idp"
)

// The variables that make this test binary an OpenID provider.
const (
	providerIssuer = "AUTH_TEST_PROVIDER_ISSUER"
	providerKey    = "AUTH_TEST_PROVIDER_KEY"
)

// runProvider serves until standard input ends, which it does with the tests.
func runProvider(issuer, keyFile string) int {
	provider, err := idp.New(idp.Config{
		Issuer: issuer, AutoApprove: true, KeyFile: keyFile, Users: people(), Clients: clients(),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = listener.Close()
	}()
	server := &http.Server{Handler: provider, ReadHeaderTimeout: time.Second}
	_ = server.Serve(listener)
	return 0
}

// providerProcess is a provider in a process of its own. All of it is real: discovery, keys, codes,
// PKCE. Its issuer is a wire in front of it, where forge may put another ID token into what the
// token endpoint answers.
type providerProcess struct {
	issuer string
	key    *rsa.PrivateKey
	forge  atomic.Pointer[func(honest string) string]
}

func startProvider(t *testing.T) *providerProcess {
	t.Helper()
	p := &providerProcess{}
	var proxy atomic.Pointer[httputil.ReverseProxy]
	wire := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy.Load().ServeHTTP(w, r)
	}))
	t.Cleanup(wire.Close)
	p.issuer = wire.URL
	keyFile := filepath.Join(t.TempDir(), "key.pem")
	addr := startProcess(t, providerIssuer+"="+p.issuer, providerKey+"="+keyFile)
	behind := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: addr})
	behind.ModifyResponse = p.tamper
	proxy.Store(behind)
	p.key = readKey(t, keyFile)
	return p
}

// startProcess returns the address that the process listens on.
func startProcess(t *testing.T, environ ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the provider did not start: %v", err)
	}
	return strings.TrimSpace(addr)
}

func readKey(t *testing.T, path string) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.(*rsa.PrivateKey) //nolint:forcetypeassert // idp makes no other
}

func (p *providerProcess) tamper(resp *http.Response) error {
	forge := p.forge.Load()
	if forge == nil || resp.Request.Method != http.MethodPost || !strings.HasSuffix(resp.Request.URL.Path, "/token") {
		return nil
	}
	var body map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		return err
	}
	if honest, ok := body["id_token"].(string); ok {
		body["id_token"] = (*forge)(honest)
	}
	changed, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(changed))
	resp.ContentLength = int64(len(changed))
	resp.Header.Set("Content-Length", strconv.Itoa(len(changed)))
	return nil
}

// config makes the process the provider with the id "process".
func (p *providerProcess) config() ProviderConfig {
	cfg := testConfig(p.issuer).Providers[0]
	cfg.ID = "process"
	return cfg
}
