package standin_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netns"
)

// network is a client, the edge and the control plane, each in a namespace of its own: the client
// stands for the internet, and has a route to the edge's private address where AWS translates.
type network struct {
	t                          *testing.T
	client, edge, controlPlane string
}

func newNetwork(t *testing.T) *network {
	t.Helper()
	id := fmt.Sprintf("standin%d-", os.Getpid())
	n := &network{t: t, client: id + "client", edge: id + "edge", controlPlane: id + "cp"}
	for _, name := range []string{n.client, n.edge, n.controlPlane} {
		n.ip("netns add " + name)
		t.Cleanup(func() { _ = exec.Command("ip", "netns", "del", name).Run() })
	}
	for _, command := range []string{
		"-n EDGE link add outside type veth peer name uplink netns CLIENT",
		"-n EDGE link add inside type veth peer name uplink netns CP",
		"-n EDGE addr add 198.51.100.1/24 dev outside",
		"-n EDGE addr add 10.42.0.10/32 dev outside",
		"-n EDGE addr add 10.42.1.1/24 dev inside",
		"-n CLIENT addr add 198.51.100.7/24 dev uplink",
		"-n CP addr add 10.42.1.10/24 dev uplink",
		"-n EDGE link set outside up",
		"-n EDGE link set inside up",
		"-n CLIENT link set uplink up",
		"-n CP link set uplink up",
		"-n CP route add default via 10.42.1.1",
		"-n CLIENT route add 10.42.0.10/32 via 198.51.100.1",
	} {
		names := strings.NewReplacer("EDGE", n.edge, "CLIENT", n.client, "CP", n.controlPlane)
		n.ip(names.Replace(command))
	}
	n.run(n.edge, "1", "tee", "/proc/sys/net/ipv4/ip_forward")
	return n
}

func (n *network) ip(arguments string) {
	n.t.Helper()
	command := exec.CommandContext(n.t.Context(), "ip", strings.Fields(arguments)...)
	if output, err := command.CombinedOutput(); err != nil {
		n.t.Fatalf("ip %s: %v: %s", arguments, err, output)
	}
}

// run runs a command in a namespace.
func (n *network) run(namespace, stdin string, arguments ...string) {
	n.t.Helper()
	all := append([]string{"netns", "exec", namespace}, arguments...)
	command := exec.CommandContext(n.t.Context(), "ip", all...)
	command.Stdin = strings.NewReader(stdin)
	if output, err := command.CombinedOutput(); err != nil {
		n.t.Fatalf("%v: %v: %s", arguments, err, output)
	}
}

// within runs f on a thread of its own in a namespace; the thread is not used again.
func (n *network) within(namespace string, f func() error) {
	n.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		handle, err := netns.GetFromName(namespace)
		if err == nil {
			defer handle.Close()
			err = netns.Set(handle)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		n.t.Fatalf("%s: %v", namespace, err)
	}
}

func (n *network) listen(namespace, address string) net.Listener {
	n.t.Helper()
	var listener net.Listener
	n.within(namespace, func() (err error) {
		config := net.ListenConfig{}
		listener, err = config.Listen(n.t.Context(), "tcp4", address)
		return err
	})
	return listener
}

func (n *network) dial(namespace, address string) net.Conn {
	n.t.Helper()
	var conn net.Conn
	n.within(namespace, func() (err error) {
		ctx, cancel := context.WithTimeout(n.t.Context(), 10*time.Second)
		defer cancel()
		dialer := net.Dialer{}
		conn, err = dialer.DialContext(ctx, "tcp4", address)
		return err
	})
	return conn
}
