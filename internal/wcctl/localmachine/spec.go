package localmachine

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// The defaults and bounds of a machine.
const (
	DefaultCluster = "local"
	DefaultSubnet  = "10.77.0.0/24"
	DefaultDiskGiB = 20
	MinDiskGiB     = 2
	// FirstHost is the last part of the control plane's address; workers follow.
	FirstHost = 11

	maxName    = 63
	maxCluster = 40
)

// Spec is what a machine was made with. The zero value of a field but Name lets Create choose.
type Spec struct {
	// Name is the host name, a DNS label.
	Name string `json:"name"`
	// Cluster names the lab: machines of one cluster share a network that nothing leaves.
	Cluster string `json:"cluster"`
	// ID tells this machine from an earlier or later one of its name.
	ID string `json:"id"`
	// ControlPlane gives it a forward to port 6443.
	ControlPlane bool `json:"control_plane"`
	// Subnet is the lab's network; its first address is the gateway.
	Subnet  netip.Prefix `json:"subnet"`
	Address netip.Addr   `json:"address"`
	DiskGiB int          `json:"disk_gib"`
	// SSHPort and APIPort are where 127.0.0.1 leads to ports 22 and 6443 of the machine.
	SSHPort int `json:"ssh_port"`
	APIPort int `json:"api_port,omitempty"`
	// AuthorizedKey is the line of a public key that may log in as root.
	AuthorizedKey string `json:"authorized_key"`
	// Image is the root file system below the machine's own, which is never written to.
	Image string `json:"image"`
}

// Errors about machines.
var (
	ErrNotRoot     = errors.New("machines on this computer need root")
	ErrUnsupported = errors.New("machines on this computer need Linux")
	ErrUnknown     = errors.New("there is no such machine")
	ErrOff         = errors.New("the machine is off")
	ErrDiffers     = errors.New("the machine exists with other settings")
	ErrElsewhere   = errors.New("another state folder has a cluster of this name")
)

var label = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// ValidName refuses what is no DNS label.
func ValidName(name string) error {
	if len(name) > maxName || !label.MatchString(name) {
		return fmt.Errorf("%q is no host name: lower-case letters, digits and hyphens, at most %d",
			name, maxName)
	}
	return nil
}

func (s Spec) validate() error {
	if err := ValidName(s.Name); err != nil {
		return err
	}
	key := strings.TrimSpace(s.AuthorizedKey)
	switch {
	case len(s.Cluster) > maxCluster || !label.MatchString(s.Cluster):
		return fmt.Errorf("%q is no cluster name: lower-case letters, digits and hyphens, at most %d",
			s.Cluster, maxCluster)
	case !s.Subnet.Addr().Is4() || s.Subnet.Bits() > 28 || s.Subnet.Bits() < 8:
		return fmt.Errorf("subnet %s is no IPv4 network between /8 and /28", s.Subnet)
	case s.Subnet != s.Subnet.Masked():
		return fmt.Errorf("subnet %s has host bits set: %s", s.Subnet, s.Subnet.Masked())
	case !s.Subnet.Contains(s.Address) || s.Address == s.gateway():
		return fmt.Errorf("address %s is not free in %s", s.Address, s.Subnet)
	case s.DiskGiB < MinDiskGiB:
		return fmt.Errorf("a disk of %d GiB is too small: %d at least", s.DiskGiB, MinDiskGiB)
	case strings.ContainsAny(key, "\n\r") || len(strings.Fields(key)) < 2:
		return errors.New("the authorized key is not one line like \"ssh-ed25519 AAAA… comment\"")
	}
	return nil
}

// gateway is the bridge's address.
func (s Spec) gateway() netip.Addr { return s.Subnet.Addr().Next() }

// labNamespace is the name of the lab's network namespace.
func (s Spec) labNamespace() string { return "wc-" + s.Cluster }

// namespace names the machine's network namespace and its control group.
func (s Spec) namespace() string { return "wc-" + s.Cluster + "." + s.Name }

// port is the lab's side of the machine's cable. It is unique in the lab and fits an interface name.
func (s Spec) port() string {
	a := s.Address.As4()
	return fmt.Sprintf("m%02x%02x%02x%02x", a[0], a[1], a[2], a[3])
}

// differs names the settings that asked does not share with the machine that exists.
func (s Spec) differs(asked Spec) []string {
	var names []string
	note := func(name string, other bool) {
		if other {
			names = append(names, name)
		}
	}
	note("cluster", asked.Cluster != "" && asked.Cluster != s.Cluster)
	note("id", asked.ID != "" && asked.ID != s.ID)
	note("role", asked.ControlPlane != s.ControlPlane)
	note("subnet", asked.Subnet.IsValid() && asked.Subnet != s.Subnet)
	note("address", asked.Address.IsValid() && asked.Address != s.Address)
	note("disk", asked.DiskGiB != 0 && asked.DiskGiB != s.DiskGiB)
	note("SSH port", asked.SSHPort != 0 && asked.SSHPort != s.SSHPort)
	note("API port", asked.APIPort != 0 && asked.APIPort != s.APIPort)
	note("authorized key", asked.AuthorizedKey != "" &&
		strings.TrimSpace(asked.AuthorizedKey) != strings.TrimSpace(s.AuthorizedKey))
	return names
}
