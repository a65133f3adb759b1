package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// twins compares the machine with those before it, so that each pair is named once.
func (c *checker) twins() {
	for i := range c.facts {
		other := &c.facts[i]
		if other == c.at {
			return
		}
		c.twin(other)
	}
}

func (c *checker) twin(other *Facts) {
	f, name := c.at, other.Machine.Name
	sameID := f.MachineID != "" && f.MachineID == other.MachineID
	if sameID && len(f.outsideAddresses()) > 0 && slices.Equal(f.Addresses, other.Addresses) {
		c.add(SameMachine, Error, f.Login+" hostname", fmt.Sprintf(
			"it is the same machine as %s, under another name", name))
		return
	}
	if f.Machine.Address == other.Machine.Address {
		c.add(SameAddress, Error, "", fmt.Sprintf("it has the address %s, as has %s",
			f.Machine.Address, name))
	}
	if sameID {
		c.add(SameMachineID, Error,
			f.command("rm -f /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; reboot"),
			fmt.Sprintf("/etc/machine-id is that of %s: both were made from one image", name))
	}
	if f.ProductUUID != "" && strings.EqualFold(f.ProductUUID, other.ProductUUID) && !c.want.Lab {
		c.add(SameUUID, Error, f.command("cat /sys/class/dmi/id/product_uuid"), fmt.Sprintf(
			"its product UUID is that of %s: the virtual machine is a copy", name))
	}
	if f.Hostname == other.Hostname {
		c.add(SameHostname, Warning, "", fmt.Sprintf(
			"its host name is %s, as is that of %s; the phase host gives each its own",
			f.Hostname, name))
	}
}

// past finds what another cluster left, and who else holds our ports.
func (c *checker) past() {
	f := c.at
	foreign := false
	switch {
	case len(f.Others) > 0:
		foreign = true
		c.add(OtherCluster, Error, f.command("systemctl status "+f.Others[0]), fmt.Sprintf(
			"another Kubernetes runs on it: %s", strings.Join(f.Others, ", ")))
	case c.isForeign():
		foreign = true
		c.add(Leftovers, Error, f.command("kubeadm reset --force && rm -rf /etc/cni/net.d "+
			"/etc/kubernetes /var/lib/etcd /var/lib/kubelet /var/lib/wastecoach"), c.leftover())
	}
	// With a record of ours they came later, and by somebody who knows.
	if len(f.Runtimes) > 0 && len(f.Records) == 0 {
		names := strings.Join(f.Runtimes, " ")
		c.add(Runtime, Error, f.command("apt-get remove "+names), fmt.Sprintf(
			"it has a container runtime already: %s; wcctl installs containerd, and both would use the "+
				"same files", names))
	}
	c.ports(foreign)
}

// isForeign tells that what a cluster left on the machine is not of the cluster that is wanted.
func (c *checker) isForeign() bool {
	f := c.at
	if f.Cluster != "" && f.Cluster != c.want.Cluster {
		return true
	}
	if f.Authority == "" {
		return len(f.Leftovers) > 0 && len(f.Records) == 0 && f.Cluster == "" && !f.Joined
	}
	if f.Machine.Role == fleet.ControlPlane {
		return f.Cluster == "" && f.Authority != c.want.Authority
	}
	// The control plane knows better than wcctl: it may have been made anew since.
	// One without any, beside workers of the cluster that is known here, is coming back from a backup.
	controlPlane := c.controlPlane()
	if controlPlane != nil && (controlPlane.Authority != "" || c.want.Authority == "") {
		return f.Authority != controlPlane.Authority
	}
	return c.want.Authority != "" && f.Authority != c.want.Authority
}

func (c *checker) leftover() string {
	f := c.at
	switch {
	case f.Cluster != "" && f.Cluster != c.want.Cluster:
		return fmt.Sprintf("leftovers of an earlier cluster: it is the control plane of %q, not of %q",
			f.Cluster, c.want.Cluster)
	case f.Authority != "":
		return fmt.Sprintf("leftovers of an earlier cluster: its certificate authority %.12s is not "+
			"that of %q", f.Authority, c.want.Cluster)
	default:
		const most = 4
		shown := f.Leftovers[:min(most, len(f.Leftovers))]
		more := ""
		if len(f.Leftovers) > most {
			more = fmt.Sprintf(" and %d more", len(f.Leftovers)-most)
		}
		return "leftovers of an earlier cluster: " + strings.Join(shown, ", ") + more
	}
}

// nameLimit is where the kernel cuts a process's name.
const nameLimit = 15

// ports leaves out our own components; those of a foreign cluster are named by what they left.
func (c *checker) ports(foreign bool) {
	f := c.at
	for _, used := range f.Ports {
		i := slices.IndexFunc(componentPorts, func(p componentPort) bool { return p.port == used.Port })
		if i < 0 || f.Machine.Role == fleet.Worker && !componentPorts[i].everywhere {
			continue
		}
		component := componentPorts[i].process
		own := used.Process == component[:min(len(component), nameLimit)]
		if own && (foreign || len(f.Records) > 0 || f.Cluster != "" || f.Joined) {
			continue
		}
		c.add(PortUsed, Error, f.command(fmt.Sprintf("ss -ltnp sport = :%d", used.Port)), fmt.Sprintf(
			"port %d is taken by %s; %s needs it", used.Port,
			orUnknown(used.Process, "another program"), component))
	}
}
