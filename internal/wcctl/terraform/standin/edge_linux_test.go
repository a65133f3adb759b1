package standin_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
)

// TestEdgeRules loads the edge's rules in network namespaces: a client reaches the API server
// through the edge and is seen under its own address; a machine gets out under the edge's.
func TestEdgeRules(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	if _, err := exec.LookPath("nft"); err != nil {
		t.Skip("nft is not installed (Debian package nftables)")
	}
	n := newNetwork(t)
	rules := firstBoots(t)["demo-worker-1"].file(rulesPath)
	for range 2 { // a second load replaces the first
		n.run(n.edge, rules, "nft", "-f", "-")
	}
	tests := []struct{ what, from, to, address, want string }{
		{"in", n.client, n.controlPlane, "10.42.0.10:6443", "198.51.100.7"},
		{"out", n.controlPlane, n.client, "198.51.100.7:8080", "198.51.100.1"},
	}
	for _, test := range tests {
		_, port, err := net.SplitHostPort(test.address)
		if err != nil {
			t.Fatal(err)
		}
		listener := n.listen(test.to, ":"+port)
		conn := n.dial(test.from, test.address)
		seen, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		source, _, err := net.SplitHostPort(seen.RemoteAddr().String())
		if err != nil || source != test.want {
			t.Errorf("%s: seen as %s, %v, want %s", test.what, source, err, test.want)
		}
		for _, c := range []io.Closer{conn, seen, listener} {
			_ = c.Close()
		}
	}
}
