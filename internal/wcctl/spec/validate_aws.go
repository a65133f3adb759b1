package spec

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

const (
	minVolumeGiB = 10
	maxVolumeGiB = 16384 // gp3's own limit
	minBucket    = 3
	maxBucket    = 63
)

var (
	regionPattern = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[1-9][0-9]?$`)
	zonePattern   = regexp.MustCompile(`^Z[A-Z0-9]{1,31}$`)
	bucketPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*[a-z0-9]$`)
	// typePattern has the family's letters, its number, its attributes and the size.
	typePattern = regexp.MustCompile(`^([a-z]+)([0-9]+)([a-z]*)(?:-[a-z0-9]+)?\.([a-z0-9-]+)$`)
)

// VPCSubnet is the network that target aws makes for its machines.
const VPCSubnet = "10.42.0.0/16"

func (v *validator) aws() {
	a := v.c.Spec.AWS
	if a == nil {
		return
	}
	const base = "spec.aws."
	switch {
	case a.Region == "":
		v.missing(base+"region", "e.g. "+DefaultRegion)
	case regionPattern.MatchString(strings.TrimRight(a.Region, "abcdef")) && !regionPattern.MatchString(a.Region):
		v.fault(base+"region", "write "+strings.TrimRight(a.Region, "abcdef"),
			"%q is a zone of a region", a.Region)
	case !regionPattern.MatchString(a.Region):
		v.fault(base+"region", "e.g. "+DefaultRegion, "%q is no region", a.Region)
	}
	v.instanceType(base+"instanceType", a.InstanceType)
	v.oneOf(base+"cpuCredits", a.CPUCredits, "unlimited", "standard")
	v.within(base+"workers", a.Workers, 1, maxWorkers)
	v.within(base+"volumeGiB", a.VolumeGiB, minVolumeGiB, maxVolumeGiB)
	v.nets = append(v.nets, network{"spec.aws", "the machines' network", netip.MustParsePrefix(VPCSubnet)})
	v.allowed(a)
	if a.ZoneID != "" && !zonePattern.MatchString(a.ZoneID) {
		v.fault(base+"zoneID", "as in aws route53 list-hosted-zones, e.g. Z0123456789ABCDEFGHIJ",
			"%q is no zone's id", a.ZoneID)
	}
	v.bucket(base+"photosBucket", a.PhotosBucket)
	v.bucket(base+"stateBucket", a.StateBucket)
	if a.PhotosBucket != "" && a.PhotosBucket == a.StateBucket {
		v.fault(base+"photosBucket", "name two", "the photos cannot share the state's bucket")
	}
	if strings.Contains(a.PhotosBucket, ".") {
		v.fault(base+"photosBucket", "write "+strings.ReplaceAll(a.PhotosBucket, ".", "-"),
			"a dot in its name breaks HTTPS uploads")
	}
}

// allowed reports what may not be in APIAllowedCIDRs.
func (v *validator) allowed(a *AWSTarget) {
	const path = "spec.aws.apiAllowedCIDRs"
	if len(a.APIAllowedCIDRs) == 0 {
		v.missing(path, "the addresses that may reach the API server, e.g. your own with /32")
	}
	for i, text := range a.APIAllowedCIDRs {
		at := fmt.Sprintf("%s[%d]", path, i)
		p, ok := v.prefix(at, text)
		switch {
		case !ok:
		case p.Bits() == 0 && !a.APIOpenToInternet:
			v.fault(at, "your own address with /32, or apiOpenToInternet: true where it is meant",
				"opens the API server to everybody")
		case p.Bits() == 0:
			v.warn(at, "", "the API server is open to everybody")
		case p.Bits() < 8:
			v.warn(at, "", "%s is a large part of the internet", p)
		default:
			v.example(at, p.Addr(), "write your own address with /32")
		}
	}
}

// Architecture tells from an EC2 instance type what GOARCH its machines have.
func Architecture(instanceType string) (string, error) {
	found := typePattern.FindStringSubmatch(instanceType)
	switch {
	case found == nil:
		return "", fmt.Errorf("%q is no EC2 instance type", instanceType)
	case found[1] == "mac":
		return "", fmt.Errorf("%s runs macOS only", instanceType)
	case found[1] == "a" || strings.Contains(found[3], "g"):
		return "arm64", nil
	default:
		return "amd64", nil
	}
}

func (v *validator) instanceType(path, name string) {
	if name == "" {
		v.missing(path, "e.g. "+DefaultInstanceType)
		return
	}
	if _, err := Architecture(name); err != nil {
		v.fault(path, "e.g. "+DefaultInstanceType, "%v", err)
		return
	}
	family, size, _ := strings.Cut(name, ".")
	switch size {
	case "nano", "micro":
		v.fault(path, "write "+family+".medium", "%s has less memory than kubeadm asks for (1.7 GiB)", name)
	case "small":
		v.warn(path, "write "+family+".medium", "%s has 2 GiB, too little for etcd and the API server under load", name)
	}
}

// bucket reports what S3 does not take as a name; an empty one is left out.
func (v *validator) bucket(path, name string) {
	_, notAddress := netip.ParseAddr(name)
	reserved := ""
	for _, part := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		if strings.HasPrefix(name, part) {
			reserved = part
		}
	}
	for _, part := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		if strings.HasSuffix(name, part) {
			reserved = part
		}
	}
	switch {
	case name == "":
		if v.c.lines[path] > 0 {
			v.missing(path, "remove it, or name a bucket")
		}
	case strings.HasPrefix(name, "s3://"):
		v.fault(path, "write "+strings.Trim(strings.TrimPrefix(name, "s3://"), "/"), "%q is an address", name)
	case len(name) < minBucket || len(name) > maxBucket:
		v.fault(path, "", "%q has %d characters; a bucket's name has %d to %d", name, len(name), minBucket, maxBucket)
	case !bucketPattern.MatchString(name) || strings.Contains(name, "..") || notAddress == nil:
		v.fault(path, "lower-case letters, digits and hyphens", "%q cannot be a bucket's name", name)
	case reserved != "":
		v.fault(path, "", "%q cannot be a bucket's name: S3 keeps %s for itself", name, reserved)
	}
}
