//go:build e2e

package cluster

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
)

// computer is what a cluster could leave on this computer: kinds of things by name.
type computer map[string]map[string]bool

// lookAround notes all of it. Processes count only where they may be a lab's.
func lookAround(t *testing.T) computer {
	t.Helper()
	c := computer{}
	c.note("process", labProcesses(t))
	c.note("mount", mountPoints(t))
	c.note("network namespace", glob(t, "/run/netns/*"))
	c.note("interface", interfaces(t))
	c.note("control group", controlGroups())
	c.note("loop device", loopDevices(t))
	c.note("setting", settings())
	c.note("file", files("/run/wastecoach", "/etc/netns", "/var/lib/wastecoach", "/etc/kubernetes",
		"/var/lib/kubelet", "/etc/cni", "/var/lib/cni", "/run/flannel", "/root/.kube", "/root/.ssh"))
	c.note("temporary file", glob(t, filepath.Join(os.TempDir(), "*")))
	c.note("listener", listeners())
	return c
}

func (c computer) note(kind string, names []string) {
	c[kind] = map[string]bool{}
	for _, name := range names {
		c[kind][name] = true
	}
}

// differs names what one has and the other has not.
func (c computer) differs(other computer) []string {
	var lines []string
	for kind, names := range other {
		for name := range names {
			if !c[kind][name] {
				lines = append(lines, fmt.Sprintf("new %s: %s", kind, name))
			}
		}
	}
	for kind, names := range c {
		for name := range names {
			if !other[kind][name] && kind != "process" && kind != "temporary file" && kind != "listener" {
				lines = append(lines, fmt.Sprintf("lost %s: %s", kind, name))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func labProcesses(t *testing.T) []string {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range processes(t) {
		ours := p.mounts != own && p.mounts != ""
		for _, word := range []string{"wcctl", "terraform", "ansible", "kubelet", "containerd"} {
			ours = ours || strings.Contains(p.command, word)
		}
		if ours && p.pid != os.Getpid() {
			names = append(names, fmt.Sprintf("%d %.200s", p.pid, p.command))
		}
	}
	return names
}

func mountPoints(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		const point, least = 4, 5
		if fields := strings.Fields(line); len(fields) >= least {
			names = append(names, fields[point])
		}
	}
	return names
}

func interfaces(t *testing.T) []string {
	t.Helper()
	links, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, link := range links {
		names = append(names, link.Attrs().Name)
	}
	return names
}

func controlGroups() []string {
	var names []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			names = append(names, path)
		}
		return nil // groups come and go
	})
	return names
}

func loopDevices(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, path := range glob(t, "/sys/block/loop*/loop/backing_file") {
		data, err := os.ReadFile(path)
		if err == nil {
			names = append(names, strings.TrimSpace(string(data)))
		}
	}
	return names
}

// settings are the kernel's, which kubelet and machines change and which the whole computer shares.
func settings() []string {
	var names []string
	for _, name := range []string{
		"kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "vm/panic_on_oom",
		"kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes", "net/ipv4/ip_forward",
		"fs/inotify/max_user_instances", "fs/inotify/max_user_watches", "kernel/pid_max",
		"net/netfilter/nf_conntrack_max", "vm/max_map_count", "fs/file-max", "kernel/core_pattern",
	} {
		if data, err := os.ReadFile("/proc/sys/" + name); err == nil {
			names = append(names, name+" = "+strings.TrimSpace(string(data)))
		}
	}
	return names
}

func files(roots ...string) []string {
	var names []string
	for _, root := range roots {
		_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil {
				names = append(names, path)
			}
			return nil // most are not there
		})
	}
	return names
}

func listeners() []string {
	var names []string
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		data, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			const local, state, least, listening = 1, 3, 4, "0A"
			if fields := strings.Fields(line); len(fields) >= least && fields[state] == listening {
				names = append(names, fields[local])
			}
		}
	}
	return names
}

// otherLabs are the clusters on this computer besides the test's own.
func otherLabs(t *testing.T) []string {
	t.Helper()
	return glob(t, "/run/wastecoach/labs/*")
}
