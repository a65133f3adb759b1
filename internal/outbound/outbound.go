// Package outbound makes HTTP clients for addresses that somebody else may choose.
//
// An OpenID issuer names its own endpoints, and any server may redirect: without a guard, a foreign
// document decides what we ask inside our own network, the cloud's metadata service above all. The
// guard looks at the address that is dialed, after name resolution, so that no name, redirect or
// rebinding gets around it.
package outbound

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"time"

	"code.dny.dev/ssrf"
)

const (
	dialTimeout  = 5 * time.Second
	maxRedirects = 3
	maxBody      = 1 << 20
)

// Errors of a client beside those of the network; a refused address is ssrf.ErrProhibitedIP.
var (
	errRedirects = errors.New("it redirects too often")
	errDowngrade = errors.New("it redirects from https to something else")
)

// NewClient returns a client that reaches public addresses, and of the others only those in allowed.
// Answers end with an error after 1 MiB.
func NewClient(timeout time.Duration, allowed ...netip.Prefix) *http.Client {
	var v4, v6 []netip.Prefix
	for _, prefix := range allowed {
		if prefix.Addr().Is4() {
			v4 = append(v4, prefix)
		} else {
			v6 = append(v6, prefix)
		}
	}
	guard := ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...))
	return &http.Client{
		Timeout: timeout,
		Transport: bounded{&http.Transport{
			// A proxy's address goes through the guard as well: allow its network where there is one.
			Proxy:       http.ProxyFromEnvironment,
			DialContext: (&net.Dialer{Timeout: dialTimeout, Control: guard.Safe}).DialContext,
			// An own DialContext turns HTTP/2 off unless it is asked for.
			ForceAttemptHTTP2: true, TLSHandshakeTimeout: dialTimeout, IdleConnTimeout: time.Minute,
			MaxIdleConnsPerHost: 4, MaxResponseHeaderBytes: maxBody,
		}},
		CheckRedirect: func(to *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return errRedirects
			case via[0].URL.Scheme == "https" && to.URL.Scheme != "https":
				return errDowngrade
			}
			return nil
		},
	}
}

// bounded cuts answers off.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = http.MaxBytesReader(nil, response.Body, maxBody)
	}
	return response, err
}
