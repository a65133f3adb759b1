// Package preflight looks at machines before anything is changed on them and names what is in the way.
package preflight

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// Facts are what one machine says of itself; probe.sh tells how each is found.
type Facts struct {
	Machine fleet.Machine `json:"machine"`
	// Login is OpenSSH's command to get there, for hints.
	Login string `json:"-"`
	// Skew is how far the machine's clock is ahead of this computer's, 0 where the difference is
	// within the time that the question took.
	Skew time.Duration `json:"skew"`

	Time         float64 `json:"time"`
	OS           OS      `json:"os"`
	Kernel       string  `json:"kernel"`
	Architecture string  `json:"architecture"`
	CPUs         int     `json:"cpus"`
	MemoryKB     int64   `json:"memory_kb"`
	SwapKB       int64   `json:"swap_kb"`
	Disks        []Disk  `json:"disks"`
	// Ports are those of Kubernetes on which something listens.
	Ports []Port `json:"ports"`
	// Cgroup is v1, v2, hybrid or empty.
	Cgroup string `json:"cgroup"`
	// Systemd tells that systemd runs the machine, APT and Python that apt-get and python3 are there.
	Systemd   bool `json:"systemd"`
	Container bool `json:"container"`
	APT       bool `json:"apt"`
	Python    bool `json:"python"`

	Hostname    string   `json:"hostname"`
	MachineID   string   `json:"machine_id"`
	ProductUUID string   `json:"product_uuid"`
	Addresses   []string `json:"addresses"`

	// Modules tell of kernel modules whether they are loaded, available, missing or unknown.
	Modules map[string]string `json:"modules"`
	// Units are systemd's words for containerd and kubelet, e.g. active.
	Units            map[string]string `json:"units"`
	InotifyInstances int               `json:"inotify_instances"`
	InotifyWatches   int               `json:"inotify_watches"`
	// Resolvers are /etc/resolv.conf's name servers, UpstreamResolvers systemd-resolved's own.
	Resolvers         []string `json:"resolvers"`
	UpstreamResolvers []string `json:"upstream_resolvers"`

	// Authority is the AuthorityHash of the cluster that the machine is in; empty without one.
	Authority string `json:"authority"`
	// Cluster is the name under which wcctl began a control plane here.
	Cluster string `json:"cluster"`
	// Joined tells that wcctl made it a worker.
	Joined bool `json:"joined"`
	// Leftovers are files that only a cluster makes, Others the units of other distributions that run.
	Leftovers []string `json:"leftovers"`
	Others    []string `json:"others"`
	// Runtimes are packages with a container runtime, Firewalls the units of active ones.
	Runtimes  []string `json:"runtimes"`
	Firewalls []string `json:"firewalls"`
	// Records are the phases that wcctl has done here.
	Records []string `json:"records"`
}

// OS is /etc/os-release.
type OS struct {
	ID      string `json:"id"`
	Like    string `json:"like"`
	Version string `json:"version"`
	Name    string `json:"name"`
}

// Disk is the file system under a path.
type Disk struct {
	Path              string `json:"path"`
	TotalKB           int64  `json:"total_kb"`
	FreeKB            int64  `json:"free_kb"`
	FreeInodesPercent int    `json:"free_inodes_percent"`
}

// Port is one that something listens on.
type Port struct {
	Port int `json:"port"`
	// Process is the program's name, cut after 15 characters by the kernel; it may be empty.
	Process string `json:"process"`
}

// AuthorityHash tells certificate authorities apart: the SHA-256 of what stands in the PEM file, in
// base64, without line breaks.
func AuthorityHash(pem []byte) string {
	var body strings.Builder
	for line := range strings.Lines(string(pem)) {
		if !strings.Contains(line, "-----") {
			body.WriteString(strings.Map(dropBlank, line))
		}
	}
	sum := sha256.Sum256([]byte(body.String()))
	return hex.EncodeToString(sum[:])
}

func dropBlank(r rune) rune {
	if r == '\n' || r == '\r' || r == ' ' {
		return -1
	}
	return r
}

// command is a hint that runs a shell command as root on the machine.
func (f *Facts) command(line string) string {
	if f.Machine.SSH.User != "root" {
		line = "sudo sh -c " + quote(line)
	}
	return f.Login + " " + quote(line)
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
