package localmachine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

type mount struct {
	source, target, kind string
	flags                uintptr
	data                 string
}

func (m mount) do() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil { //nolint:gosec // a system's folders
		return fmt.Errorf("making mount point %s: %w", m.target, err)
	}
	if err := unix.Mount(m.source, m.target, m.kind, m.flags, m.data); err != nil {
		return fmt.Errorf("mounting %s on %s: %w", m.kind, m.target, err)
	}
	return nil
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := m.do(); err != nil {
			return err
		}
	}
	return nil
}

// plainFolders lie on the disk itself: overlay file systems do not nest well, and etcd wants fsync.
func plainFolders() []string {
	return []string{"var/lib/containerd", "var/lib/etcd", "var/lib/kubelet"}
}

// mountRoot lays the machine's disk over the image and makes that the working folder. All mounts are
// the machine's alone: they go with its last process, and so does the loop device.
func mountRoot(o bootOrder) error {
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("keeping mounts apart: %w", err)
	}
	device, err := attachDisk(filepath.Join(o.Dir, diskName))
	if err != nil {
		return err
	}
	defer device.Close()
	dir := filepath.Join(o.Dir, mountName)
	if err := (mount{source: "tmpfs", target: dir, kind: "tmpfs"}).do(); err != nil {
		return err
	}
	// Names without a path need no quoting in the overlay's options.
	if err := os.Chdir(dir); err != nil {
		return fmt.Errorf("entering %s: %w", dir, err)
	}
	if err := mountAll([]mount{
		{source: o.Image, target: "image", flags: unix.MS_BIND},
		// Deleted files give their space back to this computer.
		{source: device.Name(), target: "disk", kind: "ext4", data: "discard"},
	}); err != nil {
		return err
	}
	for _, sub := range []string{"disk/upper", "disk/work"} {
		if err := os.MkdirAll(sub, 0o755); err != nil { //nolint:gosec // the machine's root folder
			return fmt.Errorf("making %s: %w", sub, err)
		}
	}
	overlay := mount{
		source: "overlay", target: "root", kind: "overlay",
		data: "lowerdir=image,upperdir=disk/upper,workdir=disk/work",
	}
	if err := overlay.do(); err != nil {
		return err
	}
	for _, sub := range plainFolders() {
		plain := "disk/plain/" + filepath.Base(sub)
		if err := os.MkdirAll(plain, 0o700); err != nil {
			return fmt.Errorf("making %s: %w", plain, err)
		}
		target := filepath.Join("root", sub)
		if err := (mount{source: plain, target: target, flags: unix.MS_BIND}).do(); err != nil {
			return err
		}
	}
	if err := os.Chdir("root"); err != nil {
		return fmt.Errorf("entering the machine's root: %w", err)
	}
	return nil
}

// mountSystem gives the machine, whose root is the working folder, the kernel's file systems.
func mountSystem(o bootOrder) error {
	const (
		safe  = unix.MS_NOSUID | unix.MS_NODEV
		quiet = safe | unix.MS_NOEXEC
	)
	if err := mountAll([]mount{
		{source: "proc", target: "proc", kind: "proc", flags: quiet},
		{source: "sysfs", target: "sys", kind: "sysfs", flags: quiet},
		{source: "tmpfs", target: "dev", kind: "tmpfs", flags: unix.MS_NOSUID, data: "mode=755"},
		{
			source: "devpts", target: "dev/pts", kind: "devpts", flags: unix.MS_NOSUID | unix.MS_NOEXEC,
			data: "newinstance,ptmxmode=0666,mode=620,gid=5",
		},
		{source: "tmpfs", target: "dev/shm", kind: "tmpfs", flags: safe, data: "mode=1777"},
		{source: "mqueue", target: "dev/mqueue", kind: "mqueue", flags: quiet},
		{source: "tmpfs", target: "run", kind: "tmpfs", flags: safe, data: "mode=755"},
		{source: "tmpfs", target: "tmp", kind: "tmpfs", flags: safe, data: "mode=1777"},
	}); err != nil {
		return err
	}
	if err := makeDevices(); err != nil {
		return err
	}
	if err := layConsole(o.Console); err != nil {
		return err
	}
	if err := mountGroups(o.Groups); err != nil {
		return err
	}
	return layOwnFiles(o)
}

// makeDevices makes what a server's /dev has and no real hardware.
func makeDevices() error {
	for _, d := range []struct {
		name         string
		major, minor uint32
	}{
		{"null", 1, 3},
		{"zero", 1, 5},
		{"full", 1, 7},
		{"random", 1, 8},
		{"urandom", 1, 9},
		{"kmsg", 1, 11},
		{"tty", 5, 0},
		{"net/tun", 10, 200},
		{"fuse", 10, 229},
	} {
		path := filepath.Join("dev", d.name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // as on a server
			return fmt.Errorf("making the folder of %s: %w", path, err)
		}
		number := int(unix.Mkdev(d.major, d.minor)) //nolint:gosec // small numbers
		if err := unix.Mknod(path, unix.S_IFCHR|0o666, number); err != nil {
			return fmt.Errorf("making %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // the umask took some away
			return fmt.Errorf("making %s: %w", path, err)
		}
	}
	for name, target := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1",
		"stderr": "/proc/self/fd/2", "core": "/proc/kcore", "ptmx": "pts/ptmx",
	} {
		if err := symlink(target, filepath.Join("dev", name)); err != nil {
			return err
		}
	}
	return nil
}

func layConsole(terminal string) error {
	const path = "dev/console"
	if err := writeFile(path, "", 0o600); err != nil {
		return err
	}
	if err := unix.Mount(terminal, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("making the console: %w", err)
	}
	return nil
}

// mountGroups gives the machine the same trees of control groups that this computer has.
func mountGroups(all []hierarchy) error {
	root := strings.TrimPrefix(cgroupRoot, "/")
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if unified(all) {
		return mount{source: "cgroup2", target: root, kind: "cgroup2", flags: flags}.do()
	}
	folder := mount{source: "tmpfs", target: root, kind: "tmpfs", flags: flags, data: "mode=755"}
	if err := folder.do(); err != nil {
		return err
	}
	for _, h := range all {
		name := filepath.Base(h.Path)
		m := mount{
			source: h.Type, target: filepath.Join(root, name), kind: h.Type, flags: flags, data: h.Options,
		}
		if err := m.do(); err != nil {
			return err
		}
		for alias := range strings.SplitSeq(h.Options, ",") {
			if strings.Contains(h.Options, ",") && alias != name && !strings.HasPrefix(h.Options, "none,") {
				if err := symlink(name, filepath.Join(root, alias)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// layOwnFiles lays files of the machine's own over what the kernel shares among all: its boot id, and
// settings that are the whole computer's.
func layOwnFiles(o bootOrder) error {
	bootID, err := os.ReadFile("proc/sys/kernel/random/uuid")
	if err != nil {
		return fmt.Errorf("making a boot id: %w", err)
	}
	if err := layOver("proc/sys/kernel/random/boot_id", string(bootID)); err != nil {
		return err
	}
	if err := layOver("sys/class/dmi/id/product_uuid", productUUID(o.ID, o.Name)); err != nil {
		return err
	}
	for _, name := range ownSettings() {
		path := "proc/sys/" + name
		value, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading a kernel setting: %w", err)
		}
		if err := layOver(path, string(value)); err != nil {
			return err
		}
	}
	return nil
}

// ownSettings can be written in a machine without changing the computer. They are what kubelet, systemd
// and our roles write outside of the network's settings, which namespaces keep apart.
func ownSettings() []string {
	return []string{
		"fs/file-max", "fs/inotify/max_user_instances", "fs/inotify/max_user_watches", "fs/nr_open",
		"fs/protected_fifos", "fs/protected_hardlinks", "fs/protected_regular", "fs/protected_symlinks",
		"kernel/core_pattern", "kernel/keys/root_maxbytes", "kernel/keys/root_maxkeys", "kernel/panic",
		"kernel/panic_on_oops", "kernel/pid_max", "kernel/printk", "kernel/sysrq", "kernel/threads-max",
		"vm/max_map_count", "vm/overcommit_memory", "vm/panic_on_oom", "vm/swappiness",
	}
}

// layOver mounts a file with the text on path, if that is there.
func layOver(path, text string) error {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	own := "run/wastecoach/" + path
	if err := writeFile(own, text, 0o644); err != nil {
		return err
	}
	if err := unix.Mount(own, path, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("laying a file over %s: %w", path, err)
	}
	return nil
}
