package localmachine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The faults that a test can give a machine, as Machine.Faults names them.
const (
	NetworkCut  = "network-cut"
	DiskFull    = "disk-full"
	ClockSkewed = "clock-skewed"
)

const (
	fillPath    = "var/tmp/wastecoach-fill"
	preloadPath = "etc/ld.so.preload"
	skewPath    = "etc/faketimerc"
	fakeLibrary = "usr/lib/*/faketime/libfaketime.so.1"
)

// CutNetwork pulls the machine's cable, or plugs it in again. It works on one that is off, too.
func (l *Lab) CutNetwork(name string, cut bool) error {
	m, unlock, err := l.hold(name)
	if err != nil {
		return err
	}
	defer unlock()
	h, link, err := cable(m.Spec)
	if err != nil {
		return err
	}
	defer h.Close()
	if cut {
		err = h.LinkSetDown(link)
	} else {
		err = h.LinkSetUp(link)
	}
	if err != nil {
		return fmt.Errorf("changing the cable of %s: %w", name, err)
	}
	return nil
}

// cable opens the lab's side of the machine's cable.
func cable(s Spec) (*netlink.Handle, netlink.Link, error) {
	lab, err := netns.GetFromName(s.labNamespace())
	if err != nil {
		return nil, nil, fmt.Errorf("opening the network of %s: %w", s.Cluster, err)
	}
	defer lab.Close()
	h, err := netlink.NewHandleAt(lab, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, nil, fmt.Errorf("opening the network of %s: %w", s.Cluster, err)
	}
	link, err := h.LinkByName(s.port())
	if err != nil {
		h.Close()
		return nil, nil, fmt.Errorf("finding the cable of %s: %w", s.Name, err)
	}
	return h, link, nil
}

func isCut(s Spec) bool {
	h, link, err := cable(s)
	if err != nil {
		return false
	}
	defer h.Close()
	return link.Attrs().RawFlags&unix.IFF_UP == 0
}

// FillDisk takes all of the disk's free space, or gives it back.
func (l *Lab) FillDisk(name string, fill bool) error {
	m, unlock, err := l.running(name)
	if err != nil {
		return err
	}
	defer unlock()
	path := filepath.Join(rootOf(m), fillPath)
	if !fill {
		return removeFile(path)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("filling the disk of %s: %w", name, err)
	}
	return errors.Join(takeSpace(file), file.Close())
}

// takeSpace grows the file until not even a block is free. The blocks are never written, so they take
// no space on this computer.
func takeSpace(file *os.File) error {
	const block = 4096
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("filling the disk: %w", err)
	}
	size := info.Size()
	for step := int64(gib); step >= block; {
		err := unix.Fallocate(int(file.Fd()), 0, size, step)
		switch {
		case err == nil:
			size += step
		case errors.Is(err, unix.ENOSPC):
			step /= 2
		case !errors.Is(err, unix.EINTR):
			return fmt.Errorf("filling the disk: %w", err)
		}
	}
	return nil
}

// SkewClock makes the clock of the machine's new processes wrong by an offset, 0 for right. All machines
// share the kernel's clock, so a library tells the wrong time: processes that run already, and programs
// linked statically, see the right one. A reboot sets it right.
func (l *Lab) SkewClock(ctx context.Context, name string, by time.Duration) error {
	m, unlock, err := l.running(name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := setClock(rootOf(m), by); err != nil {
		return fmt.Errorf("setting the clock of %s: %w", name, err)
	}
	// A server that loaded the library itself shares the library's memory with its sandboxed
	// children, which would be killed if they made their own.
	var out bytes.Buffer
	restart := ExecOptions{
		Command: []string{"systemctl", "try-restart", "ssh.service"}, Stdout: &out, Stderr: &out,
	}
	if err := restart.in(ctx, m); err != nil {
		return fmt.Errorf("restarting SSH of %s: %w\n%s", name, err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

func setClock(root string, by time.Duration) error {
	preload, skew := filepath.Join(root, preloadPath), filepath.Join(root, skewPath)
	if by == 0 {
		return errors.Join(removeFile(preload), removeFile(skew))
	}
	found, err := filepath.Glob(filepath.Join(root, fakeLibrary))
	if err != nil || len(found) == 0 {
		return errors.Join(errors.New("the machine has no library libfaketime"), err)
	}
	library, err := filepath.Rel(root, found[0])
	if err != nil {
		return fmt.Errorf("naming the library: %w", err)
	}
	if err := writeFile(skew, fmt.Sprintf("%+f\n", by.Seconds()), 0o644); err != nil {
		return err
	}
	return writeFile(preload, "/"+library+"\n", 0o644)
}

// running holds a machine that runs.
func (l *Lab) running(name string) (Machine, func(), error) {
	m, unlock, err := l.hold(name)
	if err == nil && m.PID == 0 {
		unlock()
		err = fmt.Errorf("%s: %w", name, ErrOff)
	}
	return m, unlock, err
}

// rootOf is the machine's root folder as this computer sees it.
func rootOf(m Machine) string { return fmt.Sprintf("/proc/%d/root", m.PID) }

func faults(m Machine) []string {
	var all []string
	if isCut(m.Spec) {
		all = append(all, NetworkCut)
	}
	for _, f := range []struct{ name, path string }{{DiskFull, fillPath}, {ClockSkewed, skewPath}} {
		if _, err := os.Stat(filepath.Join(rootOf(m), f.path)); err == nil {
			all = append(all, f.name)
		}
	}
	return all
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing %s: %w", path, err)
	}
	return nil
}
