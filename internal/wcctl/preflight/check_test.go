package preflight

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

const (
	ours   = "11111111111111111111"
	theirs = "22222222222222222222"
)

// healthy are three fresh machines with nothing to find.
func healthy() []Facts {
	facts := []Facts{}
	for i, name := range []string{"wc-control-plane", "wc-worker-1", "wc-worker-2"} {
		role := fleet.Worker
		if i == 0 {
			role = fleet.ControlPlane
		}
		address := fmt.Sprintf("10.0.0.%d", 11+i)
		facts = append(facts, Facts{
			Machine: fleet.Machine{
				Name: name, Role: role, Address: address, Architecture: "arm64",
				SSH: fleet.SSH{Host: address, Port: 22, User: "ubuntu"},
			},
			Login:  "ssh ubuntu@" + address,
			OS:     OS{ID: "ubuntu", Version: "24.04", Name: "Ubuntu 24.04 LTS"},
			Kernel: "6.8.0-1021-aws", Architecture: "aarch64", CPUs: 2, MemoryKB: 3900 << 10,
			Disks: []Disk{
				{Path: "/", TotalKB: 20 << 20, FreeKB: 17 << 20, FreeInodesPercent: 98},
				{Path: "/var/lib", TotalKB: 20 << 20, FreeKB: 17 << 20, FreeInodesPercent: 98},
			},
			Cgroup: "v2", Systemd: true, APT: true, Python: true,
			Hostname: "ip-" + strings.ReplaceAll(address, ".", "-"), MachineID: "m" + name,
			ProductUUID: "ec2" + name, Addresses: []string{"127.0.0.1", "::1", address},
			Modules: map[string]string{
				"overlay": "loaded", "vxlan": "available", "nf_tables": "unknown",
			},
			InotifyInstances: 128, InotifyWatches: 8192,
			Resolvers: []string{"127.0.0.53"}, UpstreamResolvers: []string{"10.0.0.2"},
		})
	}
	return facts
}

// installed are the same machines as a cluster of ours.
func installed() []Facts {
	facts := healthy()
	for i := range facts {
		facts[i].Authority = ours
		facts[i].Leftovers = []string{"/etc/kubernetes/kubelet.conf"}
		facts[i].Records = []string{"host", "containerd"}
		facts[i].Ports = []Port{{10250, "kubelet"}}
		facts[i].Joined = i > 0
	}
	facts[0].Cluster = "wc"
	facts[0].Ports = append(facts[0].Ports, Port{6443, "kube-apiserver"},
		Port{10257, "kube-controller"}, Port{10259, "kube-scheduler"}, Port{2379, "etcd"})
	return facts
}

func TestNothingToFind(t *testing.T) {
	t.Parallel()
	for name, facts := range map[string][]Facts{"fresh": healthy(), "installed": installed()} {
		for _, authority := range []string{"", ours} {
			if got := Check(facts, Want{Cluster: "wc", Authority: authority}); len(got) > 0 {
				t.Errorf("%s, authority %q: %v", name, authority, got)
			}
		}
	}
}

// TestFindings spoils one thing at a time.
func TestFindings(t *testing.T) {
	t.Parallel()
	const host, controlPlane = 1, 0
	for _, test := range []struct {
		name     string
		at       int
		spoil    func(*Facts)
		id       ID
		severity Severity
		text     string
		hint     string
	}{
		{
			"no apt", host, func(f *Facts) { f.APT, f.OS.Name = false, "Fedora 42" },
			OSKind, Error, "Fedora 42 has no apt-get", "ssh ubuntu@10.0.0.12 'sudo sh -c ",
		},
		{
			"old", host, func(f *Facts) { f.OS = OS{"debian", "", "11", "Debian 11"} },
			OSOld, Warning, "Debian 11 is older", "",
		},
		{
			"no systemd", host, func(f *Facts) { f.Systemd = false },
			Systemd, Error, "systemd does not run", "ps -p 1",
		},
		{
			"no python", host, func(f *Facts) { f.Python = false },
			Python, Error, "python3 is missing", "apt-get install --yes python3",
		},
		{
			"architecture", host, func(f *Facts) { f.Architecture = "x86_64" },
			Architecture, Error, "it is amd64, not arm64", "uname -m",
		},
		{"one CPU", controlPlane, func(f *Facts) { f.CPUs = 1 }, CPU, Error, "1 CPU", ""},
		{"one CPU, worker", host, func(f *Facts) { f.CPUs = 1 }, CPU, Warning, "1 CPU", ""},
		{
			"memory", controlPlane, func(f *Facts) { f.MemoryKB = 1699 << 10 },
			Memory, Error, "1699 MB of memory; a control plane needs 1700", "",
		},
		{
			"memory, worker", host, func(f *Facts) { f.MemoryKB = 900 << 10 },
			Memory, Warning, "900 MB", "",
		},
		{
			"small disk", host, func(f *Facts) { f.Disks[1].FreeKB = 2 << 20 },
			DiskSmall, Error, "2048 MB are free under /var/lib", "du -xh",
		},
		{
			"full disk", host, func(f *Facts) { f.Disks[1].FreeKB = 3 << 10 },
			DiskFull, Error, "the disk is full: 3 MB", "du -xh",
		},
		{
			"full root", host, func(f *Facts) { f.Disks[0].TotalKB, f.Disks[0].FreeKB = 1<<20, 9 },
			DiskFull, Error, "under /;", "df -h /;",
		},
		{
			"inodes", host, func(f *Facts) { f.Disks[1].FreeInodesPercent = 1 },
			DiskFull, Error, "1 % of the inodes", "df -i /var/lib",
		},
		{
			"port", controlPlane, func(f *Facts) { f.Ports = []Port{{6443, "haproxy"}} },
			PortUsed, Error, "port 6443 is taken by haproxy; kube-apiserver needs it", "ss -ltnp",
		},
		{
			"port of nobody", host, func(f *Facts) { f.Ports = []Port{{10250, ""}} },
			PortUsed, Error, "port 10250 is taken by another program", "ss -ltnp",
		},
		{
			"a little ahead", host, func(f *Facts) { f.Skew = 3 * time.Second },
			ClockSkew, Warning, "its clock is 3s ahead of", "timedatectl",
		},
		{
			"far behind", host, func(f *Facts) { f.Skew = -time.Hour },
			ClockSkew, Error, "its clock is 1h0m0s behind", "timedatectl",
		},
		{
			"swap", host, func(f *Facts) { f.SwapKB = 2 << 20 },
			Swap, Warning, "2048 MB of swap", "swapon",
		},
		{
			"cgroup", host, func(f *Facts) { f.Cgroup = "hybrid" },
			Cgroup, Error, "cgroups are hybrid", "stat -fc",
		},
		{
			"kernel", host, func(f *Facts) { f.Kernel = "5.10.0-9-amd64" },
			Kernel, Error, "kernel 5.10.0-9-amd64 is too old", "uname",
		},
		{
			"module", host, func(f *Facts) { f.Modules["vxlan"] = "missing" },
			Module, Error, "missing: vxlan", "modprobe --all vxlan",
		},
		{
			"inotify", host, func(f *Facts) { f.Container = true },
			Inotify, Warning, "128 instances", "sysctl -w fs.inotify",
		},
		{
			"DNS loop", host, func(f *Facts) { f.UpstreamResolvers = nil },
			DNSLoop, Error, "127.0.0.53", "cat /etc/resolv.conf",
		},
		{
			"address", host, func(f *Facts) { f.Addresses[2] = "10.9.9.9" },
			Address, Error, "10.0.0.12 is not one of its addresses (10.9.9.9)", "ip -brief",
		},
		{
			"host name", host, func(f *Facts) { f.Hostname = "ip-10-0-0-11" },
			SameHostname, Warning, "as is that of wc-control-plane", "",
		},
		{
			"machine id", host, func(f *Facts) { f.MachineID = "mwc-control-plane" },
			SameMachineID, Error, "that of wc-control-plane", "systemd-machine-id-setup",
		},
		{
			"product", host, func(f *Facts) { f.ProductUUID = "EC2wc-control-plane" },
			SameUUID, Error, "is a copy", "product_uuid",
		},
		{
			"firewall", host, func(f *Facts) { f.Firewalls = []string{"ufw"} },
			Firewall, Warning, "ufw is active", "ufw status",
		},
		{
			"docker", host, func(f *Facts) { f.Runtimes = []string{"containerd.io", "docker-ce"} },
			Runtime, Error, "containerd.io docker-ce", "apt-get remove containerd.io docker-ce",
		},
		{
			"k3s", host, func(f *Facts) { f.Others = []string{"k3s"} },
			OtherCluster, Error, "another Kubernetes runs on it: k3s", "systemctl status k3s",
		},
		{
			"files", host, func(f *Facts) { f.Leftovers = []string{"/a", "/b", "/c", "/d", "/e"} },
			Leftovers, Error, "/a, /b, /c, /d and 1 more", "kubeadm reset",
		},
		{
			"a cluster nobody began", controlPlane, func(f *Facts) { f.Authority = theirs },
			Leftovers, Error, "222222222222 is not that of \"wc\"", "kubeadm reset",
		},
		{
			"another of ours", controlPlane, func(f *Facts) { f.Cluster = "old" },
			Leftovers, Error, "control plane of \"old\", not of \"wc\"", "kubeadm reset",
		},
		{
			"a joined worker", host, func(f *Facts) { f.Authority = theirs },
			Leftovers, Error, "222222222222", "kubeadm reset",
		},
	} {
		facts := healthy()
		test.spoil(&facts[test.at])
		got := Check(facts, Want{Cluster: "wc"})
		if len(got) != 1 {
			t.Errorf("%s: %v", test.name, got)
			continue
		}
		f := got[0]
		if f.Host != facts[test.at].Machine.Name || f.ID != test.id || f.Severity != test.severity ||
			!strings.Contains(f.Text, test.text) || !strings.Contains(f.Hint, test.hint) {
			t.Errorf("%s: %s %s, hint %q", test.name, f.Severity, f, f.Hint)
		}
	}
}

func TestWhatIsOurs(t *testing.T) {
	t.Parallel()
	begun := healthy() // killed in the middle of kubeadm init
	begun[0].Cluster, begun[0].Authority = "wc", ours
	begun[0].Leftovers = []string{"/etc/kubernetes/admin.conf"}
	begun[0].Ports = []Port{{2379, "etcd"}}
	killedJoin := installed()
	killedJoin[2].Joined, killedJoin[2].Authority = false, ""
	replaced := installed()
	fresh := healthy()[2]
	replaced[2] = fresh
	full := installed()
	full[1].Disks[1].FreeKB = 1 << 20 // too little for a new machine, not for one that has it all
	for name, facts := range map[string][]Facts{
		"begun": begun, "killed join": killedJoin, "replaced worker": replaced, "installed": full,
	} {
		if got := Check(facts, Want{Cluster: "wc"}); len(got) > 0 {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOtherAuthority(t *testing.T) {
	t.Parallel()
	facts := installed()
	facts[2].Authority = theirs
	for name, want := range map[string]Want{
		"known": {Cluster: "wc", Authority: ours}, "by the control plane": {Cluster: "wc"},
	} {
		got := Check(facts, want)
		if len(got) != 1 || got[0].ID != Leftovers || got[0].Host != "wc-worker-2" {
			t.Errorf("%s: %v", name, got)
		}
	}
	// Without the control plane's answer only wcctl can tell.
	if got := Check(facts[1:], Want{Cluster: "wc"}); len(got) > 0 {
		t.Errorf("without the control plane: %v", got)
	}
	if got := Check(facts[1:], Want{Cluster: "wc", Authority: ours}); len(got) != 1 {
		t.Errorf("without the control plane, by what wcctl knows: %v", got)
	}
}

// A run that made a new control plane and was killed then leaves the old kubeconfig here.
func TestNewControlPlane(t *testing.T) {
	t.Parallel()
	facts := healthy()
	facts[0].Cluster, facts[0].Authority = "wc", theirs
	if got := Check(facts, Want{Cluster: "wc", Authority: ours}); len(got) > 0 {
		t.Errorf("got %v", got)
	}
}

func TestSameMachineTwice(t *testing.T) {
	t.Parallel()
	facts := healthy()
	twin := facts[1]
	twin.Machine.Name = "wc-worker-2"
	facts[2] = twin
	got := Check(facts, Want{Cluster: "wc"})
	if len(got) != 1 || got[0].ID != SameMachine {
		t.Errorf("got %v", got)
	}
	facts = healthy()
	facts[2].Machine.Address, facts[2].Addresses = facts[1].Machine.Address, facts[1].Addresses
	got = Check(facts, Want{Cluster: "wc"})
	if len(got) != 1 || got[0].ID != SameAddress {
		t.Errorf("got %v", got)
	}
}

func TestLab(t *testing.T) {
	t.Parallel()
	facts := healthy()
	for i := range facts {
		facts[i].Cgroup, facts[i].ProductUUID, facts[i].SwapKB = "hybrid", "one", 1<<20
	}
	if got := Check(facts, Want{Cluster: "wc", Lab: true}); len(got) > 0 {
		t.Errorf("in the lab: %v", got)
	}
	if got := Check(facts, Want{Cluster: "wc"}); len(got) == 0 {
		t.Errorf("on real machines: %v", got)
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	facts := healthy()
	facts[1].OS = OS{ID: "debian", Version: "12.9", Name: "Debian 12"}
	for distribution, hosts := range map[string][]string{
		"": nil, "ubuntu-24.04": {"wc-worker-1"}, "debian-12": {"wc-control-plane", "wc-worker-2"},
	} {
		var got []string
		for _, f := range Check(facts, Want{Cluster: "wc", Distribution: distribution}) {
			if f.ID != Distribution || f.Severity != Error {
				t.Errorf("%s: %v", distribution, f)
			}
			got = append(got, f.Host)
		}
		if !slices.Equal(got, hosts) {
			t.Errorf("a bundle for %q is refused by %v", distribution, got)
		}
	}
}

// The page that users read names every check, and no other.
func TestDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/cluster/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []ID
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		documented = append(documented, ID(row[1]))
	}
	if !slices.Equal(documented, IDs()) {
		t.Errorf("docs/cluster/preflight.md has\n%v\nthe checks are\n%v", documented, IDs())
	}
}
