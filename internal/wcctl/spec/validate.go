package spec

import (
	"cmp"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxName leaves room for NAME-control-plane as a host name and for bucket names.
	maxName    = 40
	maxLabel   = 63
	maxDNS     = 253
	maxWorkers = 100
	maxPort    = 65535
	minDiskGiB = 6
)

// Validate returns every fault of a cluster that Default has filled in, in the order of its lines.
func Validate(c *Cluster, releases Releases) []Fault {
	v := &validator{c: c}
	v.document()
	v.kubernetes(releases)
	v.ssh()
	v.blocks()
	switch c.Spec.Target {
	case AWS:
		v.aws()
	case Hosts:
		v.hosts()
	case Local:
		v.local()
	}
	v.overlaps()
	v.budget()
	v.system()
	sortByLine(v.faults)
	return v.faults
}

func sortByLine(faults []Fault) {
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
}

type validator struct {
	c      *Cluster
	faults []Fault
	nets   []network
}

// network is a range of addresses that no other may overlap.
type network struct {
	path, what string
	prefix     netip.Prefix
}

func (v *validator) fault(path, hint, format string, args ...any) {
	v.faults = append(v.faults, Fault{
		Path: path, Line: v.line(path), Text: fmt.Sprintf(format, args...), Hint: hint,
	})
}

func (v *validator) warn(path, hint, format string, args ...any) {
	v.fault(path, hint, format, args...)
	v.faults[len(v.faults)-1].Warning = true
}

// line is where the key stands, or what is nearest above it.
func (v *validator) line(path string) int {
	for path != "" {
		if line := v.c.lines[path]; line > 0 {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0
}

func (v *validator) document() {
	c := v.c
	v.oneOf("apiVersion", c.APIVersion, APIVersion)
	v.oneOf("kind", c.Kind, Kind)
	v.label("metadata.name", c.Metadata.Name, maxName)
	targets := make([]string, 0, len(Targets()))
	for _, t := range Targets() {
		targets = append(targets, string(t))
	}
	v.oneOf("spec.target", string(c.Spec.Target), targets...)
	v.oneOf("spec.network.plugin", string(c.Spec.Network.Plugin), string(Calico), string(Flannel))
}

// oneOf reports a value that is none of the words.
func (v *validator) oneOf(path, value string, words ...string) {
	list := strings.Join(words, ", ")
	switch near := nearest(value, words); {
	case slices.Contains(words, value):
	case value == "":
		v.missing(path, "one of: "+list)
	case near != "":
		v.fault(path, "did you mean "+near+"?", "%q is not known", value)
	default:
		v.fault(path, "one of: "+list, "%q is not known", value)
	}
}

// missing reports a value that must be there.
func (v *validator) missing(path, hint string) {
	if v.c.lines[path] > 0 {
		v.fault(path, hint, "is empty")
		return
	}
	v.fault(path, hint, "is missing")
}

func (v *validator) kubernetes(releases Releases) {
	k := v.c.Spec.Kubernetes
	const base = "spec.kubernetes."
	if version, ok := strings.CutPrefix(k.Version, "v"); ok && slices.Contains(releases.Supported, version) {
		v.fault(base+"version", "write "+version, "%q has a v", k.Version)
	} else if k.Version != "" && !slices.Contains(releases.Supported, k.Version) {
		v.fault(base+"version", "known: "+strings.Join(releases.Supported, ", "),
			"this wcctl cannot install Kubernetes %q", k.Version)
	} else if k.Version == "" {
		v.missing(base+"version", "known: "+strings.Join(releases.Supported, ", "))
	}
	v.subnet(base+"podSubnet", "the pods' subnet", k.PodSubnet, 8, v.podBits())
	v.subnet(base+"serviceSubnet", "the services' subnet", k.ServiceSubnet, 12, 28)
	// Without a good name there is no default, and the name's fault says so.
	if k.Endpoint != "" || labelPattern.MatchString(v.c.Metadata.Name) {
		v.endpoint(base+"endpoint", k.Endpoint)
	}
	for i, san := range k.CertificateSANs {
		if _, err := netip.ParseAddr(san); err != nil {
			v.dnsName(fmt.Sprintf("%scertificateSANs[%d]", base, i), strings.TrimPrefix(san, "*."))
		}
	}
}

// endpointPattern is what every resolver takes for a name and none for an address.
var endpointPattern = regexp.MustCompile(`\.[a-z]([a-z0-9-]*[a-z0-9])?$`)

func (v *validator) endpoint(path, name string) {
	if v.dnsName(path, name) && !endpointPattern.MatchString(name) {
		v.fault(path, "e.g. "+name+".internal", "%q is no full DNS name", name)
	}
}

// podBits is the longest prefix that has a /24 for each machine.
func (v *validator) podBits() int {
	machines := 1 + max(1, v.workers())
	return 24 - int(math.Ceil(math.Log2(float64(machines))))
}

func (v *validator) workers() int {
	s := v.c.Spec
	switch {
	case s.Target == AWS && s.AWS != nil:
		return s.AWS.Workers
	case s.Target == Hosts && s.Hosts != nil:
		return len(s.Hosts.Workers)
	case s.Target == Local && s.Local != nil:
		return s.Local.Workers
	}
	return 0
}

// blocks reports a missing block of the target and every other target's.
func (v *validator) blocks() {
	s := v.c.Spec
	if !slices.Contains(Targets(), s.Target) {
		return
	}
	blocks := map[Target]bool{AWS: s.AWS != nil, Hosts: s.Hosts != nil, Local: s.Local != nil}
	for _, target := range Targets() {
		path := "spec." + string(target)
		switch there := blocks[target]; {
		case target == s.Target && !there:
			v.fault(path, "wcctl init --target "+string(target)+" -f - shows one",
				"is missing, but target is %s", target)
		case target != s.Target && there:
			v.fault(path, "remove it, or set target: "+string(target), "is there, but target is %s", s.Target)
		}
	}
}

func (v *validator) budget() {
	usd := v.c.Spec.Budget.MonthlyUSD
	if usd < 0 || math.IsNaN(usd) || math.IsInf(usd, 0) {
		v.fault("spec.budget.monthlyUSD", "e.g. 105", "%v is no amount of money", usd)
	}
}

func (v *validator) within(path string, value, least, most int) {
	if value < least || value > most {
		v.fault(path, "", "%d is not from %d to %d", value, least, most)
	}
}

var (
	labelPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	notLabel     = regexp.MustCompile(`[^a-z0-9-]+`)
)

// label reports what is no RFC 1123 label.
func (v *validator) label(path, name string, most int) {
	switch {
	case name == "":
		v.missing(path, "lower-case letters, digits and hyphens")
	case len(name) > most:
		v.fault(path, "", "%q has %d characters; at most %d fit", name, len(name), most)
	case !labelPattern.MatchString(name):
		hint := "lower-case letters, digits and hyphens; a letter or digit first and last"
		like := strings.Trim(notLabel.ReplaceAllString(strings.ToLower(name), "-"), "-")
		if labelPattern.MatchString(like) {
			hint = "write " + like
		}
		v.fault(path, hint, "%q cannot be a host name", name)
	}
}

// dnsName reports what is no DNS name of labels.
func (v *validator) dnsName(path, name string) bool {
	switch {
	case name == "":
		v.missing(path, "a DNS name, e.g. api.example.org")
		return false
	case len(name) > maxDNS:
		v.fault(path, "", "has %d characters; a DNS name has at most %d", len(name), maxDNS)
		return false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		v.fault(path, "a DNS name, e.g. api.example.org", "%s is an address, not a name", name)
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if !labelPattern.MatchString(label) || len(label) > maxLabel {
			hint := "a DNS name, e.g. api.example.org"
			if strings.Contains(name, "://") || strings.ContainsAny(name, ":/") {
				hint = "without a scheme, port or path, e.g. api.example.org"
			}
			v.fault(path, hint, "%q is no DNS name", name)
			return false
		}
	}
	return true
}
