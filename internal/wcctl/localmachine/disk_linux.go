package localmachine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	gib          = 1 << 30
	loopMajor    = 7
	loopAttempts = 32
	// detachWait bounds the unmounting in the kernel, which writes what the machine has not: on a busy
	// disk more than 20 s.
	detachWait = 2 * time.Minute
)

// ensureDisk makes the machine's disk, an ext4 file system in a sparse file.
func ensureDisk(path string, size int) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	// A name of its own: a killed try may still be writing to its file.
	file, err := os.CreateTemp(filepath.Dir(path), diskName+".new-*")
	if err != nil {
		return fmt.Errorf("making a disk: %w", err)
	}
	if err := errors.Join(file.Truncate(int64(size)*gib), file.Close()); err != nil {
		return errors.Join(fmt.Errorf("making a disk of %d GiB: %w", size, err), os.Remove(file.Name()))
	}
	if err := format(file.Name()); err != nil {
		return errors.Join(err, os.Remove(file.Name()))
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return fmt.Errorf("making a disk: %w", err)
	}
	return nil
}

// format keeps no blocks for root: a full disk shall be full for the machine's services, too.
func format(path string) error {
	runtime.LockOSThread() // Pdeathsig is about this thread
	defer runtime.UnlockOSThread()
	cmd := exec.Command("mkfs.ext4", "-q", "-F", "-m", "0", "-L", "wastecoach", //nolint:noctx // < 1 s
		"-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("formatting a disk: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// attachDisk returns the open block device of a disk. It goes by itself with its last mount.
func attachDisk(path string) (*os.File, error) {
	backing, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the disk: %w", err)
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the loop devices: %w", err)
	}
	defer control.Close()
	for range loopAttempts {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("finding a free loop device: %w", err)
		}
		device, err := openLoop(n)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(backing.Fd())} //nolint:gosec // descriptors are small
		config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		copy(config.Info.File_name[:], path)
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device, nil
		}
		_ = device.Close()
		if !errors.Is(err, unix.EBUSY) { // else another machine was faster
			return nil, fmt.Errorf("attaching the disk to %s: %w", device.Name(), err)
		}
	}
	return nil, errors.New("attaching the disk: all loop devices are busy")
}

func openLoop(n int) (*os.File, error) {
	path := fmt.Sprintf("/dev/loop%d", n)
	device, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		dev := unix.Mkdev(loopMajor, uint32(n)) //nolint:gosec // a loop device's small number
		if err := unix.Mknod(path, unix.S_IFBLK|0o660, int(dev)); err != nil {
			return nil, fmt.Errorf("making %s: %w", path, err)
		}
		device, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	return device, nil
}

// awaitDetached returns when no loop device has the disk: two on one file would ruin it.
func awaitDetached(path string) error {
	resolved, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("finding disk %s: %w", path, err)
	}
	err = await(detachWait, func() (bool, error) {
		users, err := loopsOf(resolved)
		return len(users) == 0, err
	})
	if err != nil {
		return fmt.Errorf("waiting until disk %s is free: %w", path, err)
	}
	return nil
}

// loopsOf names the loop devices that have the file.
func loopsOf(path string) ([]string, error) {
	files, err := filepath.Glob("/sys/block/loop*/loop/backing_file")
	if err != nil {
		return nil, fmt.Errorf("listing loop devices: %w", err)
	}
	var users []string
	for _, file := range files {
		backing, err := os.ReadFile(file)
		name := strings.TrimSuffix(strings.TrimSpace(string(backing)), " (deleted)")
		if err == nil && name == path {
			users = append(users, "/dev/"+filepath.Base(filepath.Dir(filepath.Dir(file))))
		}
	}
	return users, nil
}
