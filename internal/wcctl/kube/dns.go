package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

const (
	dnsApp  = "kube-dns"
	dnsPort = 53
	// probeName exists in every cluster.
	probeName = "kubernetes.default.svc.cluster.local."
	// lookupAge spares the cluster a tunnel at each look.
	lookupAge     = 15 * time.Second
	lookupTimeout = 8 * time.Second
)

// lookupName asks one ready CoreDNS pod for a name; without one there is nothing to ask.
func (c *Cluster) lookupName(ctx context.Context, s *snapshot) error {
	for _, pod := range s.systemPods("k8s-app", dnsApp) {
		if ready, _ := podReady(&pod); !ready {
			continue
		}
		found := recall(c, "lookup/"+pod.Name, func() (answer[struct{}], time.Duration) {
			ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
			defer cancel()
			if err := c.lookup(ctx, pod.Name); err != nil {
				return answer[struct{}]{err: err}, 0
			}
			return answer[struct{}]{}, lookupAge
		})
		return found.err
	}
	return nil
}

// lookupThrough asks a CoreDNS pod over TCP, through the API server and the node's kubelet: this
// computer needs no way into the pod network.
func (c *Cluster) lookupThrough(ctx context.Context, pod string) error {
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return fmt.Errorf("preparing a tunnel to %s: %w", pod, err)
	}
	url := c.client.CoreV1().RESTClient().Post().Resource("pods").Namespace("kube-system").Name(pod).
		SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	stop, ready := make(chan struct{}), make(chan struct{})
	defer close(stop)
	forward, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"},
		[]string{fmt.Sprintf("0:%d", dnsPort)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return fmt.Errorf("preparing a tunnel to %s: %w", pod, err)
	}
	failed := make(chan error, 1)
	go func() { failed <- forward.ForwardPorts() }()
	select {
	case err := <-failed:
		return fmt.Errorf("opening a tunnel to %s: %w", pod, err)
	case <-ctx.Done():
		return fmt.Errorf("opening a tunnel to %s: %w", pod, ctx.Err())
	case <-ready:
	}
	ports, err := forward.GetPorts()
	if err != nil {
		return fmt.Errorf("opening a tunnel to %s: %w", pod, err)
	}
	return resolve(ctx, net.JoinHostPort("127.0.0.1", fmt.Sprint(ports[0].Local)))
}

// resolve asks the DNS server at address, over TCP, for probeName.
func resolve(ctx context.Context, address string) error {
	resolver := net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", address)
		},
	}
	found, err := resolver.LookupIP(ctx, "ip4", probeName)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) {
			// The server in the error is this computer's own, which was never asked.
			return fmt.Errorf("looking up %s: %s", probeName, dns.Err)
		}
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("looking up %s: no address", probeName)
	}
	return nil
}
