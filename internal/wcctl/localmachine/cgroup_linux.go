package localmachine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// cgroupRoot is where a machine finds its control groups, whatever this computer does.
const cgroupRoot = "/sys/fs/cgroup"

// hierarchy is one mounted tree of control groups.
type hierarchy struct {
	// Path is where this computer has it.
	Path string `json:"path"`
	// Type is cgroup or cgroup2.
	Type string `json:"type"`
	// Options mount it again, e.g. cpu,cpuacct or none,name=systemd.
	Options string `json:"options"`
}

// hierarchies finds the trees of this computer: many with cgroup v1, one with v2.
func hierarchies() ([]hierarchy, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("finding control groups: %w", err)
	}
	var all []hierarchy
	for _, m := range mounts {
		h := hierarchy{Path: m.Mountpoint, Type: m.FSType}
		if m.FSType == "cgroup" {
			h.Options = v1Options(m.VFSOptions)
		}
		same := func(o hierarchy) bool { return o.Type == h.Type && o.Options == h.Options }
		if m.Root == "/" && !slices.ContainsFunc(all, same) {
			all = append(all, h)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("this computer has no control groups below " + cgroupRoot)
	}
	return all, nil
}

// v1Options keeps the controllers of a mount and drops what only describes it.
func v1Options(options string) string {
	var kept []string
	for o := range strings.SplitSeq(options, ",") {
		switch {
		case strings.HasPrefix(o, "name="):
			kept = append(kept, "none", o)
		case strings.Contains(o, "="), slices.Contains([]string{
			"rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode",
		}, o):
		default:
			kept = append(kept, o)
		}
	}
	return strings.Join(kept, ",")
}

// unified tells whether cgroup v2 is all there is.
func unified(all []hierarchy) bool {
	return !slices.ContainsFunc(all, func(h hierarchy) bool { return h.Type == "cgroup" })
}

// ensureGroups makes the machine's group in each tree.
func ensureGroups(all []hierarchy, name string) error {
	for _, h := range all {
		if h.Type == "cgroup2" && unified(all) {
			if err := delegate(h.Path); err != nil {
				return err
			}
		}
		dir := filepath.Join(h.Path, name)
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the kernel's own mode
			return fmt.Errorf("making control group %s: %w", dir, err)
		}
		if slices.Contains(strings.Split(h.Options, ","), "cpuset") {
			if err := inheritCPUs(h.Path, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// delegate lets groups below the root have all controllers.
func delegate(root string) error {
	controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers"))
	if err != nil {
		return fmt.Errorf("reading the controllers: %w", err)
	}
	for controller := range strings.FieldsSeq(string(controllers)) {
		err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0)
		// Some controllers refuse while a real-time task or a v1 mount uses them.
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.EBUSY) {
			return fmt.Errorf("delegating the controller %s: %w", controller, err)
		}
	}
	return nil
}

// inheritCPUs fills a cpuset, which begins empty and would take no process, here and below.
func inheritCPUs(parent, dir string) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		value, err := os.ReadFile(filepath.Join(parent, file))
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), bytes.TrimSpace(value), 0); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.clone_children"), []byte("1"), 0); err != nil {
		return fmt.Errorf("letting control groups inherit their CPUs: %w", err)
	}
	return nil
}

// joinGroups moves the calling process into the machine's groups.
func joinGroups(all []hierarchy, name string) error {
	for _, h := range all {
		path := filepath.Join(h.Path, name, "cgroup.procs")
		if err := os.WriteFile(path, []byte("0"), 0); err != nil {
			return fmt.Errorf("joining control group %s: %w", path, err)
		}
	}
	return nil
}

// removeGroups waits until the kernel has let the groups' last processes go.
func removeGroups(name string) error {
	all, err := hierarchies()
	if err != nil {
		return err
	}
	for _, h := range all {
		dir := filepath.Join(h.Path, name)
		if err := await(groupWait, func() (bool, error) { return removeTree(dir), nil }); err != nil {
			return fmt.Errorf("removing control group %s: %w", dir, err)
		}
	}
	return nil
}

const groupWait = 10 * time.Second

// removeTree removes groups from below; only their folders can be removed, not the files in them.
func removeTree(dir string) bool {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what vanishes meanwhile needs no removal
	})
	if err != nil {
		return false
	}
	for _, path := range slices.Backward(dirs) {
		_ = unix.Rmdir(path)
	}
	_, err = os.Stat(dir)
	return errors.Is(err, fs.ErrNotExist)
}

// await polls until done, or returns errTooLong.
func await(limit time.Duration, done func() (bool, error)) error {
	const pause = 20 * time.Millisecond
	for deadline := time.Now().Add(limit); ; time.Sleep(pause) {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: %s", errTooLong, limit)
		}
	}
}

var errTooLong = errors.New("not done in time")
