package localmachine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// suite is the distribution that machines are made of.
const suite = "bookworm"

// packages make a bare server: nothing of Kubernetes, and what Ansible needs to begin.
func packages() []string {
	return []string{
		"ca-certificates", "curl", "dbus", "iproute2", "iputils-ping", "kmod", "libfaketime", "mount",
		"openssh-server", "procps", "python3-apt", "python3-minimal", "sudo", "systemd",
		"systemd-sysv", "udev", "util-linux",
	}
}

// buildOptions keep what no machine reads out of the image and do not wait for the disk.
func buildOptions() []string {
	return []string{
		"--mode=root", "--variant=minbase", "--format=directory",
		"--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		`--aptopt=Acquire::Languages "none"`,
	}
}

// maskedUnits would wait for hardware that a machine here has not, or change the whole computer.
func maskedUnits() []string {
	return []string{
		"apt-daily-upgrade.timer", "apt-daily.timer", "console-getty.service",
		"dev-hugepages.mount", "dev-mqueue.mount", "dpkg-db-backup.timer", "e2scrub_all.timer",
		"e2scrub_reap.service", "fstrim.timer", "getty.target", "proc-sys-fs-binfmt_misc.automount",
		"sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount",
		"sys-kernel-tracing.mount", "systemd-modules-load.service", "systemd-networkd.service",
		"systemd-remount-fs.service", "systemd-resolved.service", "systemd-timesyncd.service",
		"systemd-udev-trigger.service", "systemd-udevd-control.socket",
		"systemd-udevd-kernel.socket", "systemd-udevd.service",
	}
}

// imageFiles are written over what the packages brought.
func imageFiles() map[string]string {
	return map[string]string{
		"etc/fstab":      "",
		"etc/hostname":   "",
		"etc/machine-id": "",
		// A machine's disk is a file of this computer: nothing on it outlives the computer's own power
		// cut, while on a busy disk each of dpkg's waits can take seconds.
		"etc/dpkg/dpkg.cfg.d/wastecoach": "force-unsafe-io\n",
		// The computer's kernel log is not the machine's.
		"etc/systemd/journald.conf.d/wastecoach.conf": "[Journal]\nReadKMsg=no\nRuntimeMaxUse=64M\n",
		"etc/ssh/sshd_config.d/wastecoach.conf": "HostKey /etc/ssh/ssh_host_ed25519_key\n" +
			"PermitRootLogin prohibit-password\nUseDNS no\n" + "SetEnv " + fakeTimeEnv + "\n",
		// A false clock must not stop the one that timeouts use.
		"etc/systemd/system.conf.d/wastecoach.conf": "[Manager]\nDefaultEnvironment=" + fakeTimeEnv + "\n",
	}
}

// fakeTimeEnv matters only to processes that see a false clock.
const fakeTimeEnv = "FAKETIME_DONT_FAKE_MONOTONIC=1"

// recipeKey changes with everything that an image is made of.
func recipeKey(sources []byte) (string, error) {
	data, err := json.Marshal(map[string]any{
		"suite": suite, "packages": packages(), "options": buildOptions(), "masked": maskedUnits(),
		"files": imageFiles(), "sources": string(sources), "form": 1,
	})
	if err != nil {
		return "", fmt.Errorf("hashing the image's recipe: %w", err)
	}
	sum := sha256.Sum256(data)
	return suite + "-" + hex.EncodeToString(sum[:6]), nil
}

// prepareImage turns a fresh root file system into what each machine starts from.
func prepareImage(root string) error {
	for _, unit := range maskedUnits() {
		if err := symlink("/dev/null", root+"/etc/systemd/system/"+unit); err != nil {
			return err
		}
	}
	if err := symlink("/lib/systemd/system/multi-user.target",
		root+"/etc/systemd/system/default.target"); err != nil {
		return err
	}
	keys, err := filepath.Glob(root + "/etc/ssh/ssh_host_*")
	if err != nil {
		return fmt.Errorf("finding the image's host keys: %w", err)
	}
	// Each machine has a host key and an id of its own.
	for _, path := range slices.Concat(keys, []string{
		root + "/etc/resolv.conf", root + "/var/lib/dbus/machine-id",
		root + "/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
	}) {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("removing %s from the image: %w", path, err)
		}
	}
	for name, text := range imageFiles() {
		if err := writeFile(filepath.Join(root, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func symlink(target, path string) error {
	if err := os.RemoveAll(path); err != nil {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	if err := os.Symlink(target, path); err != nil {
		return fmt.Errorf("linking %s: %w", path, err)
	}
	return nil
}

// writeFile also makes the folders above, for everybody to pass.
func writeFile(path, text string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // a system's folders
		return fmt.Errorf("making the folder of %s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.Chmod(path, mode); err != nil { // it may have been there
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
