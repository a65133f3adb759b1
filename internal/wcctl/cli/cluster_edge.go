package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/wcctl/deploy"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
)

// edge reaches a cluster's system through the login to the machine that takes the traffic, before any
// DNS knows its names and where no route leads to it. TLS is the client's and the way in's own.
type edge struct {
	domain  string
	machine fleet.Machine
	login   dialing
	// roots are the lab's; nil for the system's.
	roots *x509.CertPool
}

// openEdge logs in; the login ends with ctx.
func openEdge(ctx context.Context, con *console, flags *clusterFlags) (*edge, error) {
	v, d, err := openDeployer(ctx, con, flags, &wantedRelease{}, nil)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	return reachEdge(ctx, d, v.fleet, v.dial)
}

func reachEdge(ctx context.Context, d *deploy.Deployer, machines fleet.Fleet, dial phase.Dial) (*edge, error) {
	machine, ok := machines.Edge()
	e := &edge{domain: d.Spec.Spec.Domain, machine: machine}
	switch {
	case e.domain == "":
		return nil, errNoDomain
	case !ok:
		return nil, errors.New("no machine of the cluster takes traffic")
	}
	authority, err := d.Authority(ctx)
	if err != nil {
		return nil, err
	}
	if authority != nil {
		e.roots = x509.NewCertPool()
		e.roots.AppendCertsFromPEM(authority)
	}
	shell, err := dial(ctx, e.machine, 0)
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { _ = shell.Close() }) // nobody uses it any more
	login, ok := shell.(dialing)
	if !ok {
		return nil, fmt.Errorf("the login to %s cannot connect from there", e.machine.Name)
	}
	e.login = login
	return e, nil
}

// errNoDomain is a cluster that nothing is deployed to.
var errNoDomain = errors.New("spec.domain is missing: nobody knows where the system shall answer")

// address is the API's.
func (e *edge) address() string { return "https://api." + e.domain }

func (e *edge) transport() *http.Transport {
	t := client.NewTransport()
	t.Proxy = nil
	t.TLSClientConfig = &tls.Config{RootCAs: e.roots, MinVersion: tls.VersionTLS12}
	t.ForceAttemptHTTP2 = true
	here := t.DialContext
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err == nil && strings.HasSuffix(host, "."+e.domain) {
			return e.login.DialContext(ctx, "tcp", net.JoinHostPort(e.machine.Address, port))
		}
		return here(ctx, network, address)
	}
	return t
}
