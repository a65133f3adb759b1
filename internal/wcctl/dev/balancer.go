package dev

import (
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// errNoReplica says that a service has nobody who may receive traffic.
var errNoReplica = errors.New("no replica is ready")

// balancer sends each request to the next ready replica of one service.
type balancer struct {
	replicas  []*replica
	next      atomic.Uint64
	transport http.RoundTripper
}

// RoundTrip implements http.RoundTripper. A request whose replica cannot be connected to goes to
// another one, unless its body may be spent.
func (b *balancer) RoundTrip(req *http.Request) (*http.Response, error) {
	err := errNoReplica
	first := b.next.Add(1)
	for i := range uint64(len(b.replicas)) {
		r := b.replicas[(first+i)%uint64(len(b.replicas))]
		if !r.ready.Load() {
			continue
		}
		try := req.Clone(req.Context())
		try.URL.Host = r.addr()
		var resp *http.Response
		if resp, err = b.transport.RoundTrip(try); err == nil {
			return resp, nil
		}
		if !isDial(err) || req.Context().Err() != nil {
			return nil, err
		}
		r.ready.Store(false)
		if req.Body != nil && req.Body != http.NoBody {
			return nil, err
		}
	}
	return nil, err
}

func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}
