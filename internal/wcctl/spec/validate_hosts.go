package spec

import (
	"fmt"
	"net/netip"
)

// placedHost is a host with its path in the file.
type placedHost struct {
	*Host
	path string
}

// all are the hosts, the control plane first.
func (h *HostsTarget) all() []placedHost {
	hosts := []placedHost{{&h.ControlPlane, "spec.hosts.controlPlane"}}
	for i := range h.Workers {
		hosts = append(hosts, placedHost{&h.Workers[i], fmt.Sprintf("spec.hosts.workers[%d]", i)})
	}
	return hosts
}

func (v *validator) hosts() {
	h := v.c.Spec.Hosts
	if h == nil {
		return
	}
	if v.c.lines["spec.hosts"] > 0 && v.c.lines["spec.hosts.controlPlane"] == 0 {
		v.missing("spec.hosts.controlPlane", "a block with name and address")
	}
	switch n := len(h.Workers); {
	case n == 0:
		v.missing("spec.hosts.workers", "at least one host")
	case n > maxWorkers:
		v.fault("spec.hosts.workers", "", "%d are too many; at most %d", n, maxWorkers)
	}
	unique := once{v: v, seen: map[string]string{}}
	for _, host := range h.all() {
		if host.path == "spec.hosts.controlPlane" && *host.Host == (Host{}) {
			continue
		}
		v.host(host)
		unique.checkHost(host)
	}
	v.edges(h)
}

func (v *validator) host(h placedHost) {
	v.label(h.path+".name", h.Name, maxLabel)
	v.oneOf(h.path+".architecture", h.Architecture, "amd64", "arm64")
	v.within(h.path+".port", h.Port, 1, maxPort)
	v.user(h.path+".user", h.User)
	const own = "write your machine's address"
	if h.Address == "" {
		v.missing(h.path+".address", "an IPv4 address or a DNS name")
	} else if a, err := netip.ParseAddr(h.Address); err != nil {
		if v.dnsName(h.path+".address", h.Address) && h.PrivateAddress == "" {
			v.missing(h.path+".privateAddress", "an IPv4 address, since address is a name")
		}
	} else if !v.example(h.path+".address", a, own) {
		v.outside(h.path+".address", a)
	}
	if h.PrivateAddress == "" || h.PrivateAddress == h.Address {
		return
	}
	a, err := netip.ParseAddr(h.PrivateAddress)
	if err != nil || !a.Is4() {
		v.fault(h.path+".privateAddress", "an IPv4 address, e.g. 10.0.0.11",
			"%q is no IPv4 address", h.PrivateAddress)
	} else if !v.example(h.path+".privateAddress", a, own) {
		v.outside(h.path+".privateAddress", a)
	}
}

// outside reports a machine's address that is in one of the cluster's own networks or nobody's.
func (v *validator) outside(path string, a netip.Addr) {
	if a.IsLoopback() || a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() {
		v.fault(path, "an address that the other machines reach", "%s names no other machine", a)
	}
	if !a.Is4() {
		v.fault(path, "an IPv4 address, e.g. 10.0.0.11", "%s is no IPv4 address", a)
	}
	for _, n := range v.nets {
		if n.prefix.Contains(a) {
			v.fault(path, "change "+n.path, "%s is within %s, %s", a, n.what, n.prefix)
		}
	}
}

// edges reports more than one edge worker, and a control plane that is one.
func (v *validator) edges(h *HostsTarget) {
	first := ""
	for _, host := range h.all() {
		switch {
		case !host.Edge:
		case host.path == "spec.hosts.controlPlane":
			v.fault(host.path+".edge", "mark one of the workers", "a control plane takes no traffic from outside")
		case first != "":
			v.fault(host.path+".edge", "keep one of them", "%s is the edge already", first)
		default:
			first = host.path
		}
	}
}

func (v *validator) local() {
	l := v.c.Spec.Local
	if l == nil {
		return
	}
	v.within("spec.local.workers", l.Workers, 1, maxWorkers)
	if l.DiskGiB < minDiskGiB {
		v.fault("spec.local.diskGiB", "", "%d GiB are too few; at least %d", l.DiskGiB, minDiskGiB)
	}
	v.subnet("spec.local.subnet", "the machines' subnet", l.Subnet, 16, 24)
}

// once reports values that come again.
type once struct {
	v    *validator
	seen map[string]string
}

func (o once) check(h placedHost, key, what, value string) bool {
	id := what + " " + value
	if first, again := o.seen[id]; again && value != "" {
		o.v.fault(h.path+"."+key, "", "%s has the same %s, %s", first, what, value)
		return false
	}
	o.seen[id] = h.path
	return true
}

// checkHost reports a name or an address that another host has. A port of its own on the same address
// is another machine's SSH server, but never another node.
func (o once) checkHost(h placedHost) {
	o.check(h, "name", "name", h.Name)
	key := "privateAddress"
	if h.PrivateAddress == h.Address {
		key = "address"
	}
	if o.check(h, key, "address among machines", h.PrivateAddress) && h.Address != "" {
		o.check(h, "address", "SSH address", fmt.Sprintf("%s:%d", h.Address, h.Port))
	}
}
