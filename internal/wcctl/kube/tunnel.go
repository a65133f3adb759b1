package kube

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"

	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// Tunnel leads a port of this computer to one of a pod, through the API server and the node's kubelet:
// this computer needs no way into the pod network.
type Tunnel struct {
	address string
	stop    func()
	lost    chan struct{}
}

// Tunnel opens one; close it.
func (c *Cluster) Tunnel(ctx context.Context, namespace, pod string, port int) (*Tunnel, error) {
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, fmt.Errorf("preparing a tunnel to %s: %w", pod, err)
	}
	url := c.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).
		SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	stop, ready := make(chan struct{}), make(chan struct{})
	forward, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"},
		[]string{"0:" + strconv.Itoa(port)}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		return nil, fmt.Errorf("preparing a tunnel to %s: %w", pod, err)
	}
	t := &Tunnel{stop: sync.OnceFunc(func() { close(stop) }), lost: make(chan struct{})}
	failed := make(chan error, 1)
	go func() {
		defer close(t.lost)
		failed <- forward.ForwardPorts()
	}()
	select {
	case err := <-failed:
		return nil, fmt.Errorf("opening a tunnel to %s: %w", pod, err)
	case <-ctx.Done():
		t.stop()
		return nil, fmt.Errorf("opening a tunnel to %s: %w", pod, ctx.Err())
	case <-ready:
	}
	ports, err := forward.GetPorts()
	if err != nil {
		t.stop()
		return nil, fmt.Errorf("opening a tunnel to %s: %w", pod, err)
	}
	t.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(int(ports[0].Local)))
	return t, nil
}

// Address is host:port here.
func (t *Tunnel) Address() string { return t.address }

// Lost is closed when the tunnel leads nowhere any more.
func (t *Tunnel) Lost() <-chan struct{} { return t.lost }

// Close ends it; twice is once.
func (t *Tunnel) Close() { t.stop() }
