package outbound_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"code.dny.dev/ssrf"

	"github.com/wastecoach/wastecoach/internal/outage"
	"github.com/wastecoach/wastecoach/internal/outbound"
)

const timeout = 10 * time.Second

func get(t *testing.T, client *http.Client, url string) (string, error) {
	t.Helper()
	response, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestAddressesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer server.Close()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := outbound.NewClient(timeout)
	for _, host := range []string{
		"127.0.0.1", "localhost", "127.1.2.3", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
		"10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "[fd00:ec2::254]",
		"[fe80::1]", "[64:ff9b::a9fe:a9fe]", "224.0.0.1", "255.255.255.255", "192.0.2.1",
	} {
		_, err := get(t, client, "http://"+host+":"+port+"/")
		if !errors.Is(err, ssrf.ErrProhibitedIP) || !outage.Is(err) {
			t.Errorf("%s: %v", host, err)
		}
	}
	if n := reached.Load(); n != 0 {
		t.Errorf("the server was reached %d times", n)
	}
}

func TestAllowedNetwork(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/inside":
			http.Redirect(w, r, "http://169.254.169.254/latest/meta-data/", http.StatusFound)
		case "/ring":
			http.Redirect(w, r, "/ring", http.StatusFound)
		case "/endless":
			_, _ = io.Copy(w, io.LimitReader(strings.NewReader(strings.Repeat("a", 2<<20)), 2<<20))
		default:
			_, _ = io.WriteString(w, "hello")
		}
	}))
	defer server.Close()
	client := outbound.NewClient(timeout, netip.MustParsePrefix("127.0.0.0/8"))
	if body, err := get(t, client, server.URL); err != nil || body != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
	if _, err := get(t, client, server.URL+"/inside"); !errors.Is(err, ssrf.ErrProhibitedIP) {
		t.Errorf("a redirect inside: %v", err)
	}
	if _, err := get(t, client, server.URL+"/ring"); err == nil || !strings.Contains(err.Error(), "too often") {
		t.Errorf("a ring: %v", err)
	}
	if body, err := get(t, client, server.URL+"/endless"); err == nil || len(body) > 1<<20 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
}

func TestRedirectFromHTTPS(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer secure.Close()
	client := secure.Client()
	client.CheckRedirect = outbound.NewClient(timeout).CheckRedirect
	if _, err := get(t, client, secure.URL); err == nil || !strings.Contains(err.Error(), "from https") {
		t.Errorf("got %v", err)
	}
}
