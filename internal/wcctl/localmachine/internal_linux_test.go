package localmachine

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/vishvananda/netlink"
)

func TestV1Options(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		"rw,cpu,cpuacct":        "cpu,cpuacct",
		"rw,xattr,name=systemd": "none,name=systemd",
		"rw,cpuset,noprefix":    "cpuset",
		"rw,memory":             "memory",
		"rw,xattr,release_agent=/lib/x,name=systemd": "none,name=systemd",
	} {
		if got := v1Options(options); got != want {
			t.Errorf("%s: got %s, want %s", options, got, want)
		}
	}
}

func TestUnified(t *testing.T) {
	t.Parallel()
	v2 := hierarchy{Path: "/sys/fs/cgroup", Type: "cgroup2"}
	if !unified([]hierarchy{v2}) {
		t.Error("cgroup v2 alone is not unified")
	}
	if unified([]hierarchy{{Path: "/sys/fs/cgroup/cpu", Type: "cgroup", Options: "cpu"}, v2}) {
		t.Error("cgroup v2 beside v1 is unified")
	}
}

func TestRecipeKeyFollowsTheSources(t *testing.T) {
	t.Parallel()
	one, err := recipeKey([]byte("one"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := recipeKey([]byte("two"))
	if err != nil || one == two {
		t.Errorf("two sources have the key %s: %v", one, err)
	}
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("namespaces and loop devices need root")
	}
}

func TestDiskIsReleased(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	path := filepath.Join(t.TempDir(), "disk.img")
	if err := ensureDisk(path, MinDiskGiB); err != nil {
		t.Fatal(err)
	}
	device, err := attachDisk(path)
	if err != nil {
		t.Fatal(err)
	}
	if users, err := loopsOf(path); err != nil || len(users) != 1 || users[0] != device.Name() {
		t.Errorf("%s is attached to %v: %v", path, users, err)
	}
	if err := device.Close(); err != nil {
		t.Fatal(err)
	}
	if err := awaitDetached(path); err != nil {
		t.Error(err)
	}
}

func TestNetworkIsMadeOnceAndRemoved(t *testing.T) {
	t.Parallel()
	needsRoot(t)
	s := Spec{
		Name: "one", Cluster: fmt.Sprintf("net%d", os.Getpid()),
		Subnet: netip.MustParsePrefix("10.98.0.0/24"), Address: netip.MustParseAddr("10.98.0.11"),
	}
	if err := register(s.Cluster, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := errors.Join(removeNetwork(s), removeNamespace(s.labNamespace()), unregister(s.Cluster))
		if err != nil {
			t.Error(err)
		}
		for _, name := range []string{s.namespace(), s.labNamespace()} {
			if _, err := os.Stat(filepath.Join(namespaceDir, name)); err == nil {
				t.Errorf("%s is left", name)
			}
		}
	})
	for range 2 {
		if err := ensureNetwork(s); err != nil {
			t.Fatal(err)
		}
	}
	var routes, links int
	err := inNamespace(s.labNamespace(), func() error {
		defaults, err := netlink.RouteList(nil, netlink.FAMILY_V4)
		for _, r := range defaults {
			if r.Gw != nil {
				routes++
			}
		}
		all, linkErr := netlink.LinkList()
		links = len(all)
		return errors.Join(err, linkErr)
	})
	if err != nil || routes != 0 {
		t.Errorf("the lab has %d ways out: %v", routes, err)
	}
	if links != 3 {
		t.Errorf("the lab has %d interfaces, want lo, the bridge and one cable", links)
	}
}

func TestFolderLockSurvivesRemoval(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "lab")
	lock, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error)
	go func() {
		lock, err := lockFolder(dir)
		if err == nil {
			_, err = os.Stat(dir)
			_ = lock.Close()
		}
		second <- err
	}()
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	_ = lock.Close()
	if err := <-second; err != nil {
		t.Errorf("who waited holds a folder that is gone: %v", err)
	}
}
