package localmachine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// computerDir holds what all labs of this computer must know of each other.
	computerDir = "/run/wastecoach"
	labsDir     = computerDir + "/labs"
	savedPath   = computerDir + "/sysctl.json"
	sysctlDir   = "/proc/sys"
)

// raised are settings of the whole computer that several machines together need higher. What a machine
// sets for itself it sets on files of its own; see ownSettings.
func raised() map[string]int {
	return map[string]int{
		"fs/inotify/max_user_instances": 8192,
		"fs/inotify/max_user_watches":   1 << 20,
	}
}

type labRecord struct {
	// Machines is the folder of the lab's machines.
	Machines string `json:"machines"`
}

// register makes the computer ready for the lab's first machine.
func register(cluster, machines string) error {
	lock, err := lockFolder(computerDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := foreign(cluster, machines); err != nil {
		return err
	}
	if err := os.MkdirAll(labsDir, 0o700); err != nil {
		return fmt.Errorf("making %s: %w", labsDir, err)
	}
	if err := raiseSettings(); err != nil {
		return err
	}
	if err := shareNamespaces(); err != nil {
		return err
	}
	return writeJSON(recordPath(cluster), labRecord{Machines: machines})
}

func recordPath(cluster string) string { return filepath.Join(labsDir, cluster+".json") }

// foreign refuses a cluster whose names are in use by another state folder.
func foreign(cluster, machines string) error {
	var other labRecord
	err := readJSON(recordPath(cluster), &other)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && other.Machines != machines && hasMachines(other.Machines) {
		err = fmt.Errorf("cluster %s: %w: %s", cluster, ErrElsewhere, other.Machines)
	}
	return err
}

func hasMachines(dir string) bool {
	specs, _ := filepath.Glob(filepath.Join(dir, "*", specName))
	return len(specs) > 0
}

// unregister gives the computer back what it was when the last lab goes.
func unregister(cluster string) error {
	lock, err := lockFolder(computerDir)
	if err != nil {
		return err
	}
	defer lock.Close()
	err = os.Remove(recordPath(cluster))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting the lab: %w", err)
	}
	left, err := os.ReadDir(labsDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading %s: %w", labsDir, err)
	}
	if len(left) > 0 {
		return nil
	}
	if err := restoreSettings(); err != nil {
		return err
	}
	if err := os.RemoveAll(computerDir); err != nil {
		return fmt.Errorf("removing %s: %w", computerDir, err)
	}
	return unshareNamespaces()
}

// shareNamespaces makes the folder of named network namespaces a shared mount point, as ip-netns(8)
// does when it makes its first. Were that ours, ip would mount the folder over it, and nobody could
// remove what is below.
func shareNamespaces() error {
	if err := os.MkdirAll(namespaceDir, 0o755); err != nil { //nolint:gosec // as ip makes it
		return fmt.Errorf("making %s: %w", namespaceDir, err)
	}
	share := func() error { return unix.Mount("", namespaceDir, "none", unix.MS_SHARED|unix.MS_REC, "") }
	err := share()
	if errors.Is(err, unix.EINVAL) { // it is no mount point yet
		err = unix.Mount(namespaceDir, namespaceDir, "none", unix.MS_BIND|unix.MS_REC, "")
		if err == nil {
			err = share()
		}
	}
	if err != nil {
		return fmt.Errorf("sharing %s: %w", namespaceDir, err)
	}
	return nil
}

// unshareNamespaces removes the folder unless somebody else's namespaces are in it: both steps fail
// where there are any.
func unshareNamespaces() error {
	err := unix.Unmount(namespaceDir, 0)
	if err == nil || errors.Is(err, unix.EINVAL) {
		err = os.Remove(namespaceDir)
	}
	if err == nil || errors.Is(err, unix.EBUSY) || errors.Is(err, unix.ENOTEMPTY) ||
		errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("removing %s: %w", namespaceDir, err)
}

// raiseSettings saves what it changes, once, before it does.
func raiseSettings() error {
	saved := map[string]string{}
	err := readJSON(savedPath, &saved)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil {
		for name := range raised() {
			if saved[name], err = readSetting(name); err != nil {
				return err
			}
		}
		if err := writeJSON(savedPath, saved); err != nil {
			return err
		}
	}
	for name, want := range raised() {
		now, err := readSetting(name)
		if err != nil {
			return err
		}
		if n, err := strconv.Atoi(now); err == nil && n >= want {
			continue
		}
		if err := writeSetting(name, strconv.Itoa(want)); err != nil {
			return err
		}
	}
	return nil
}

func restoreSettings() error {
	saved := map[string]string{}
	err := readJSON(savedPath, &saved)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for name, value := range saved {
		err = errors.Join(err, writeSetting(name, value))
	}
	return err
}

func readSetting(name string) (string, error) {
	value, err := os.ReadFile(filepath.Join(sysctlDir, name))
	if err != nil {
		return "", fmt.Errorf("reading a kernel setting: %w", err)
	}
	return strings.TrimSpace(string(value)), nil
}

func writeSetting(name, value string) error {
	if err := os.WriteFile(filepath.Join(sysctlDir, name), []byte(value), 0); err != nil {
		return fmt.Errorf("changing a kernel setting: %w", err)
	}
	return nil
}

func removeIfEmpty(dir string) error {
	left, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || len(left) > 0 {
		return nil
	}
	if err == nil {
		err = os.Remove(dir)
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", dir, err)
	}
	return nil
}

func needRoot() error {
	if os.Geteuid() != 0 {
		return ErrNotRoot
	}
	return nil
}
