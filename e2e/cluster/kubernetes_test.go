//go:build e2e

package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/release"
	"github.com/wastecoach/wastecoach/internal/wcctl/remote"
)

func (l *lab) kubectl(args ...string) ended {
	l.t.Helper()
	return l.tryKubectl(args...).ok()
}

func (l *lab) tryKubectl(args ...string) ended {
	l.t.Helper()
	kubeconfig := filepath.Join(l.state(), "kubeconfig")
	return l.run(commandPatience, l.file("kubectl"), append([]string{"--kubeconfig", kubeconfig}, args...)...)
}

// apply sends manifests.
func (l *lab) apply(manifests string) {
	l.t.Helper()
	path := filepath.Join(l.dir, "manifests.yaml")
	if err := os.WriteFile(path, []byte(manifests), 0o600); err != nil {
		l.t.Fatal(err)
	}
	l.kubectl("apply", "--filename", path)
}

func (l *lab) nodes() []corev1.Node {
	l.t.Helper()
	var list corev1.NodeList
	l.kubectl("get", "nodes", "--output", "json").into(&list)
	return list.Items
}

// readySince is false for a node that is not Ready.
func readySince(n corev1.Node) (time.Time, bool) {
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time, true
		}
	}
	return time.Time{}, false
}

// wantReady checks that exactly these machines are Ready nodes and returns since when.
func (l *lab) wantReady(roles ...string) time.Time {
	l.t.Helper()
	var want, got []string
	for _, role := range roles {
		want = append(want, l.node(role))
	}
	var last time.Time
	for _, n := range l.nodes() {
		since, ready := readySince(n)
		if !ready {
			l.t.Errorf("node %s is not Ready: %+v", n.Name, n.Status.Conditions)
		}
		if since.After(last) {
			last = since
		}
		got = append(got, n.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		l.t.Errorf("the nodes are %v, want %v", got, want)
	}
	return last
}

var allRoles = []string{"control-plane", "worker-1", "worker-2"}

// identity is what must never change once a cluster is there.
type identity struct {
	authority, cluster string
	// nodes are the UIDs of the nodes by name.
	nodes map[string]string
}

func (l *lab) identity() identity {
	l.t.Helper()
	i := identity{nodes: map[string]string{}}
	controlPlane := l.node("control-plane")
	i.authority = strings.TrimSpace(l.on(controlPlane, "sha256sum </etc/kubernetes/pki/ca.crt"))
	kubectl := "KUBECONFIG=/etc/kubernetes/admin.conf kubectl get "
	i.cluster = strings.TrimSpace(l.on(controlPlane, kubectl+"namespace kube-system -o jsonpath={.metadata.uid}"))
	lines := l.on(controlPlane,
		kubectl+`nodes -o jsonpath='{range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}'`)
	for line := range strings.Lines(lines) {
		if name, uid, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			i.nodes[name] = uid
		}
	}
	return i
}

// kept checks that a later look shows the same cluster with the same nodes, and perhaps more.
func (i identity) kept(l *lab, later identity) {
	l.t.Helper()
	if later.authority != i.authority || later.cluster != i.cluster {
		l.t.Errorf("the cluster was made anew: authority %s, then %s; %s, then %s",
			i.authority, later.authority, i.cluster, later.cluster)
	}
	for name, uid := range i.nodes {
		if later.nodes[name] != uid {
			l.t.Errorf("node %s joined twice: %s, then %s", name, uid, later.nodes[name])
		}
	}
}

// fleet is the lab's machines as wcctl reaches them.
func (l *lab) fleet() fleet.Fleet {
	l.t.Helper()
	var f fleet.Fleet
	for _, m := range l.machines() {
		role := fleet.Worker
		if m.ControlPlane {
			role = fleet.ControlPlane
		}
		f = append(f, fleet.Machine{
			Name: m.Name, Role: role, Address: m.Address.String(),
			SSH: fleet.SSH{Host: "127.0.0.1", Port: m.SSHPort, User: "root"},
		})
	}
	return f
}

// serveBundle lets the machines pull test images from the bundle for as long as the test runs, as
// `up` does for its own.
func (l *lab) serveBundle() {
	l.t.Helper()
	b, err := bundle.Open(l.bundle)
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(l.t.Context()))
	l.t.Cleanup(cancel)
	server := &http.Server{Handler: b.Handler(), ReadHeaderTimeout: time.Minute}
	l.t.Cleanup(func() { _ = server.Close() })
	for _, m := range l.fleet() {
		c, err := remote.Dial(ctx, remote.Options{
			Machine: m, KeyFile: filepath.Join(l.state(), "ssh", "id_ed25519"), Agent: "none",
			KnownHosts: filepath.Join(l.state(), "known_hosts"), Wait: time.Minute,
		})
		if err != nil {
			l.t.Fatal(err)
		}
		listener, err := c.Listen(release.BundleAddress)
		if err != nil {
			l.t.Fatal(err)
		}
		go func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "serving the bundle on %s ended: %v\n", c.Machine().Name, err)
			}
		}()
	}
}
