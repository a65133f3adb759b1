package spec

import (
	"fmt"
	"net/netip"
)

func isIPv4(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Is4()
}

// subnet reports what is no private IPv4 network with a prefix from /least to /most, and keeps it
// for overlaps.
func (v *validator) subnet(path, what, text string, least, most int) {
	if text == "" {
		v.missing(path, "a network, e.g. 10.244.0.0/16")
		return
	}
	prefix, ok := v.prefix(path, text)
	if !ok {
		return
	}
	switch bits := prefix.Bits(); {
	case bits < least:
		v.fault(path, fmt.Sprintf("from /%d to /%d", least, most), "/%d is too large for %s", bits, what)
	case bits > most:
		v.fault(path, fmt.Sprintf("from /%d to /%d", least, most), "/%d is too small for %s", bits, what)
	case !prefix.Addr().IsPrivate() && !carrier.Contains(prefix.Addr()):
		v.fault(path, "one within 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10",
			"%s is not private: machines there would be out of reach", prefix)
	}
	v.nets = append(v.nets, network{path, what, prefix})
}

// carrier is what RFC 6598 set aside; it is no less private to a cluster than RFC 1918's.
var carrier = netip.MustParsePrefix("100.64.0.0/10")

// prefix reports what is no IPv4 network.
func (v *validator) prefix(path, text string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil && isIPv4(text):
		v.fault(path, "write "+text+"/32 for this one address", "%s has no length", text)
	case err != nil:
		v.fault(path, "an IPv4 network, e.g. 10.244.0.0/16", "%q is no network", text)
	case !p.Addr().Is4():
		v.fault(path, "an IPv4 network, e.g. 10.244.0.0/16", "%s is no IPv4 network", text)
	case p != p.Masked():
		v.fault(path, "write "+p.Masked().String(), "%s is an address within a network", text)
	default:
		return p, true
	}
	return netip.Prefix{}, false
}

// overlaps reports networks of the file that share addresses, at the later one.
func (v *validator) overlaps() {
	for i, b := range v.nets {
		for _, a := range v.nets[:i] {
			if a.prefix.Overlaps(b.prefix) {
				v.fault(b.path, "choose another network", "%s overlaps with %s, %s (%s)",
					b.prefix, a.what, a.prefix, a.path)
			}
		}
	}
}

// documentation is what RFC 5737 sets aside for examples; wcctl init writes such addresses.
var documentation = []netip.Prefix{
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
}

// example reports an address that is only an example.
func (v *validator) example(path string, a netip.Addr, instead string) bool {
	for _, p := range documentation {
		if p.Contains(a) {
			v.fault(path, instead, "%s is only an example", a)
			return true
		}
	}
	return false
}
