package preflight

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func (c *checker) system() {
	f := c.at
	if !f.APT {
		c.add(OSKind, Error, f.command("cat /etc/os-release"), fmt.Sprintf(
			"%s has no apt-get; wcctl installs on Debian %d and Ubuntu %v or later",
			orUnknown(f.OS.Name, "the operating system"), minDebian, minUbuntu))
	} else if f.isOld() {
		c.add(OSOld, Warning, "", fmt.Sprintf(
			"%s is older than what is tested: Debian %d and Ubuntu %v", f.OS.Name, minDebian, minUbuntu))
	}
	if want := c.want.Distribution; want != "" && want != f.distribution() {
		c.add(Distribution, Error, "", fmt.Sprintf(
			"the bundle's packages are for %s, but this is %s (%s)", want, f.distribution(), f.OS.Name))
	}
	if !f.Systemd {
		c.add(Systemd, Error, f.command("ps -p 1"), "systemd does not run the machine")
	}
	if !f.Python {
		c.add(Python, Error, f.command("apt-get install --yes python3"),
			"python3 is missing, which Ansible needs on each machine")
	}
	if want := f.Machine.Architecture; want != "" && want != goArchitecture(f.Architecture) {
		c.add(Architecture, Error, f.command("uname -m"), fmt.Sprintf(
			"it is %s, not %s", goArchitecture(f.Architecture), want))
	}
}

func orUnknown(name, otherwise string) string {
	if name == "" {
		return otherwise
	}
	return name
}

func (f *Facts) isOld() bool {
	version, err := strconv.ParseFloat(f.OS.Version, 64)
	if err != nil {
		return false
	}
	return f.OS.ID == "debian" && version < minDebian || f.OS.ID == "ubuntu" && version < minUbuntu
}

// distribution is as in a bundle's lock: Debian counts whole releases, Ubuntu halves of a year.
func (f *Facts) distribution() string {
	version := f.OS.Version
	if f.OS.ID == "debian" {
		version, _, _ = strings.Cut(version, ".")
	}
	return f.OS.ID + "-" + version
}

func goArchitecture(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	default:
		return machine
	}
}

func (c *checker) size() {
	f := c.at
	if f.CPUs < minCPUs {
		c.add(CPU, c.onControlPlane(), "", fmt.Sprintf(
			"%d CPU; a control plane needs %d", f.CPUs, minCPUs))
	}
	if f.MemoryKB < minMemoryKB {
		c.add(Memory, c.onControlPlane(), "", fmt.Sprintf("%d MB of memory; a control plane needs %d",
			f.MemoryKB/kilobytesPerMega, minMemoryKB/kilobytesPerMega))
	}
	c.disks()
}

func (c *checker) disks() {
	f := c.at
	var seen []int64
	// The one under /var/lib comes last and matters most; a disk is named once.
	for _, d := range slices.Backward(f.Disks) {
		if slices.Contains(seen, d.TotalKB) {
			continue
		}
		seen = append(seen, d.TotalKB)
		hint := f.command("df -h " + d.Path + "; du -xh --max-depth=3 " + d.Path +
			" | sort -h | tail -n 15")
		free := fmt.Sprintf("%d MB are free under %s", d.FreeKB/kilobytesPerMega, d.Path)
		switch {
		case d.FreeKB < minFreeKB:
			c.add(DiskFull, Error, hint, fmt.Sprintf("the disk is full: %s; at least %d are needed",
				free, minFreeKB/kilobytesPerMega))
		case d.FreeInodesPercent < minFreeInodes:
			c.add(DiskFull, Error, f.command("df -i "+d.Path), fmt.Sprintf(
				"the disk is full: %d %% of the inodes under %s are free", d.FreeInodesPercent, d.Path))
		case d.Path == "/var/lib" && len(f.Records) == 0 && d.FreeKB < minFreshKB:
			c.add(DiskSmall, Error, hint, fmt.Sprintf(
				"the disk is small: %s; an installation needs %d", free, minFreshKB/kilobytesPerMega))
		}
	}
}

func (c *checker) clock() {
	f := c.at
	off := f.Skew.Abs()
	if off <= skewWarning {
		return
	}
	severity, consequence := Warning, "logs and metrics will not match"
	if off > skewError {
		severity, consequence = Error, "certificates and join tokens would be refused"
	}
	direction := "ahead of"
	if f.Skew < 0 {
		direction = "behind"
	}
	c.add(ClockSkew, severity, f.command("timedatectl set-ntp true; date"), fmt.Sprintf(
		"its clock is %s %s this computer's; %s",
		off.Round(100*time.Millisecond), direction, consequence))
}

func (c *checker) kernel() {
	f := c.at
	if f.SwapKB > 0 && !c.want.Lab {
		c.add(Swap, Warning, f.command("swapon --show"), fmt.Sprintf(
			"%d MB of swap are on; the phase host turns swap off for good", f.SwapKB/kilobytesPerMega))
	}
	if f.Cgroup != "v2" && !c.want.Lab {
		c.add(Cgroup, Error, f.command("stat -fc %T /sys/fs/cgroup"), fmt.Sprintf(
			"cgroups are %s; kubelet needs version 2 alone", orUnknown(f.Cgroup, "not mounted")))
	}
	if major, minor, ok := kernelVersion(f.Kernel); ok &&
		(major < minKernelMajor || major == minKernelMajor && minor < minKernelMinor) {
		c.add(Kernel, Error, f.command("uname -r"), fmt.Sprintf(
			"kernel %s is too old: kube-proxy's nftables mode needs %d.%d",
			f.Kernel, minKernelMajor, minKernelMinor))
	}
	var missing []string
	for name, state := range f.Modules {
		if state == "missing" {
			missing = append(missing, name)
		}
	}
	if slices.Sort(missing); len(missing) > 0 {
		names := strings.Join(missing, " ")
		c.add(Module, Error, f.command("modprobe --all "+names), "kernel modules are missing: "+names)
	}
	// Elsewhere the phase host raises the limits; a container may not.
	if f.Container && (f.InotifyInstances < minInstances || f.InotifyWatches < minWatches) {
		c.add(Inotify, Warning, fmt.Sprintf(
			"sysctl -w fs.inotify.max_user_instances=%d fs.inotify.max_user_watches=%d",
			minInstances, minWatches), fmt.Sprintf(
			"inotify allows %d instances and %d watches, on this computer as on the machine; "+
				"programs that follow files may fail with \"too many open files\"",
			f.InotifyInstances, f.InotifyWatches))
	}
}

func kernelVersion(release string) (major, minor int, ok bool) {
	n, _ := fmt.Sscanf(release, "%d.%d", &major, &minor)
	return major, minor, n == 2
}

func (c *checker) network() {
	f := c.at
	if len(f.Resolvers) > 0 && !slices.ContainsFunc(f.Resolvers, isOutside) &&
		!slices.ContainsFunc(f.UpstreamResolvers, isOutside) {
		c.add(DNSLoop, Error, f.command("cat /etc/resolv.conf"), fmt.Sprintf(
			"/etc/resolv.conf names only the machine itself (%s): CoreDNS would ask itself in a loop",
			strings.Join(f.Resolvers, ", ")))
	}
	if len(f.Firewalls) > 0 {
		c.add(Firewall, Warning, f.command("ufw status verbose || firewall-cmd --list-all"), fmt.Sprintf(
			"%s is active: it must let the machines reach each other, on 6443 and 10250 by TCP and on the "+
				"pod network's port, 8472 for flannel and 4789 for Calico, by UDP",
			strings.Join(f.Firewalls, ", ")))
	}
	if len(f.Addresses) > 0 && !slices.Contains(f.Addresses, f.Machine.Address) {
		c.add(Address, Error, f.command("ip -brief address"), fmt.Sprintf(
			"%s is not one of its addresses (%s)",
			f.Machine.Address, strings.Join(f.outsideAddresses(), ", ")))
	}
}

// isOutside tells that pods may inherit the name server: it is not a loopback address.
func isOutside(server string) bool {
	return !strings.HasPrefix(server, "127.") && server != "::1"
}

// outsideAddresses leaves out what every machine has.
func (f *Facts) outsideAddresses() []string {
	var addresses []string
	for _, a := range f.Addresses {
		if isOutside(a) && !strings.HasPrefix(a, "fe80:") {
			addresses = append(addresses, a)
		}
	}
	return addresses
}
