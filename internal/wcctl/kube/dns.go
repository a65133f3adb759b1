package kube

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
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

// lookupThrough asks a CoreDNS pod over TCP.
func (c *Cluster) lookupThrough(ctx context.Context, pod string) error {
	tunnel, err := c.Tunnel(ctx, "kube-system", pod, dnsPort)
	if err != nil {
		return err
	}
	defer tunnel.Close()
	return resolve(ctx, tunnel.Address())
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
