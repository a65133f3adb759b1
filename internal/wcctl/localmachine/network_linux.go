package localmachine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	namespaceDir = "/run/netns"
	bridgeName   = "br0"
	cableName    = "eth0"
)

// ensureNetwork makes the lab's network and the machine's place in it, or what is missing of them.
// Nothing in the lab's namespace leads out of it.
func ensureNetwork(s Spec) error {
	lab, err := ensureNamespace(s.labNamespace())
	if err != nil {
		return err
	}
	defer lab.Close()
	own, err := ensureNamespace(s.namespace())
	if err != nil {
		return err
	}
	defer own.Close()
	if err := stopForwarding(s.labNamespace()); err != nil {
		return err
	}
	bridge, err := ensureBridge(lab, s)
	if err != nil {
		return fmt.Errorf("making the network of %s: %w", s.Cluster, err)
	}
	if err := ensureCable(lab, own, bridge, s); err != nil {
		return fmt.Errorf("connecting %s: %w", s.Name, err)
	}
	return nil
}

// ensureNamespace opens the named network namespace, as ip-netns(8) names them.
func ensureNamespace(name string) (netns.NsHandle, error) {
	ns, err := netns.GetFromName(name)
	if err == nil && isNamespace(ns) {
		return ns, nil
	}
	if err == nil {
		// Its name outlived it, as a plain file: the computer was started anew.
		_ = ns.Close()
		if err := os.Remove(filepath.Join(namespaceDir, name)); err != nil {
			return netns.None(), fmt.Errorf("removing the dead network namespace %s: %w", name, err)
		}
	}
	err = onThread(func() error {
		var err error
		ns, err = netns.NewNamed(name)
		return err
	})
	if err != nil {
		return netns.None(), fmt.Errorf("making network namespace %s: %w", name, err)
	}
	return ns, nil
}

func isNamespace(ns netns.NsHandle) bool {
	var s unix.Statfs_t
	return unix.Fstatfs(int(ns), &s) == nil && s.Type == unix.NSFS_MAGIC
}

func ensureBridge(lab netns.NsHandle, s Spec) (netlink.Link, error) {
	h, err := netlink.NewHandleAt(lab, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("opening the namespace: %w", err)
	}
	defer h.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = bridgeName
	if err := h.LinkAdd(&netlink.Bridge{LinkAttrs: attrs}); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("adding a bridge: %w", err)
	}
	bridge, err := h.LinkByName(bridgeName)
	if err != nil {
		return nil, fmt.Errorf("finding the bridge: %w", err)
	}
	if err := setUp(h, "lo", netip.Prefix{}); err != nil {
		return nil, err
	}
	return bridge, setUp(h, bridgeName, netip.PrefixFrom(s.gateway(), s.Subnet.Bits()))
}

// ensureCable lays a cable from the bridge to the machine. A cut one stays cut.
func ensureCable(lab, own netns.NsHandle, bridge netlink.Link, s Spec) error {
	outer, err := netlink.NewHandleAt(lab, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening the namespace: %w", err)
	}
	defer outer.Close()
	inner, err := netlink.NewHandleAt(own, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening the namespace: %w", err)
	}
	defer inner.Close()
	port, err := outer.LinkByName(s.port())
	if err != nil {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = s.port()
		attrs.Flags = net.FlagUp // in one step with its making: what is down was cut
		port = &netlink.Veth{
			LinkAttrs: attrs, PeerName: cableName, PeerNamespace: netlink.NsFd(own),
			PeerHardwareAddr: hardwareAddress(s.Address),
		}
		if err := outer.LinkAdd(port); err != nil {
			return fmt.Errorf("adding a cable: %w", err)
		}
	}
	// A step of its own for the kernel, so one that a killed try may have left out.
	if err := outer.LinkSetMaster(port, bridge); err != nil {
		return fmt.Errorf("plugging a cable in: %w", err)
	}
	if err := setUp(inner, "lo", netip.Prefix{}); err != nil {
		return err
	}
	if err := setUp(inner, cableName, netip.PrefixFrom(s.Address, s.Subnet.Bits())); err != nil {
		return err
	}
	// Service addresses are rewritten on their way out, so there must be a way.
	_, all, _ := net.ParseCIDR("0.0.0.0/0")
	if err := inner.RouteReplace(&netlink.Route{Dst: all, Gw: s.gateway().AsSlice()}); err != nil {
		return fmt.Errorf("adding the default route: %w", err)
	}
	return nil
}

// hardwareAddress stays the same when a machine is started again, as a network card's does.
func hardwareAddress(a netip.Addr) net.HardwareAddr {
	ip := a.As4()
	return net.HardwareAddr{0x02, 0x57, ip[0], ip[1], ip[2], ip[3]}
}

func setUp(h *netlink.Handle, name string, address netip.Prefix) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding interface %s: %w", name, err)
	}
	if address.IsValid() {
		a := &netlink.Addr{IPNet: &net.IPNet{
			IP: address.Addr().AsSlice(), Mask: net.CIDRMask(address.Bits(), 32),
		}}
		if err := h.AddrReplace(link, a); err != nil {
			return fmt.Errorf("giving %s the address %s: %w", name, address, err)
		}
	}
	if err := h.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting %s up: %w", name, err)
	}
	return nil
}

// stopForwarding matters where this computer forwards, which new namespaces inherit.
func stopForwarding(namespace string) error {
	return inNamespace(namespace, func() error { return writeSetting("net/ipv4/ip_forward", "0") })
}

// removeNetwork takes the machine's place in the network away.
func removeNetwork(s Spec) error {
	if lab, err := netns.GetFromName(s.labNamespace()); err == nil {
		defer lab.Close()
		if err := removeLink(lab, s.port()); err != nil {
			return err
		}
	}
	return removeNamespace(s.namespace())
}

func removeLink(ns netns.NsHandle, name string) error {
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("opening the namespace: %w", err)
	}
	defer h.Close()
	link, err := h.LinkByName(name)
	if err != nil {
		return nil // it is gone
	}
	if err := h.LinkDel(link); err != nil {
		return fmt.Errorf("removing interface %s: %w", name, err)
	}
	return nil
}

func removeNamespace(name string) error {
	path := filepath.Join(namespaceDir, name)
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing network namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing network namespace %s: %w", name, err)
	}
	return nil
}

// inNamespace runs f on a thread in the named network namespace. What f starts or opens stays there.
func inNamespace(name string, f func() error) error {
	ns, err := netns.GetFromName(name)
	if err != nil {
		return fmt.Errorf("opening network namespace %s: %w", name, err)
	}
	defer ns.Close()
	return onThread(func() error {
		if err := netns.Set(ns); err != nil {
			return fmt.Errorf("entering network namespace %s: %w", name, err)
		}
		return f()
	})
}

// onThread runs f, which may change the thread's network namespace, on a thread that others get only
// after it was changed back.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		before, err := netns.Get()
		if err != nil {
			done <- fmt.Errorf("finding our network namespace: %w", err)
			return // still locked: the thread ends with its goroutine
		}
		defer before.Close()
		err = f()
		if netns.Set(before) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}
