package localmachine

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Create makes the machine asked for, or finds it, and starts it. Killed anywhere, it goes on where it
// was when it is called again. A machine with other settings is ErrDiffers.
func (l *Lab) Create(ctx context.Context, asked Spec, image ImageOptions) (Machine, error) {
	if err := needRoot(); err != nil {
		return Machine{}, err
	}
	if err := ValidName(asked.Name); err != nil {
		return Machine{}, err
	}
	lock, err := lockFolder(l.path(asked.Name))
	if err != nil {
		return Machine{}, err
	}
	defer lock.Close()
	// A machine keeps the image that it was made with.
	if s, err := l.spec(asked.Name); err != nil || !isFolder(s.Image) {
		if asked.Image, err = EnsureImage(ctx, image); err != nil {
			return Machine{}, errors.Join(err, l.abandon(asked.Name))
		}
	}
	s, err := l.settle(asked)
	if err != nil {
		return Machine{}, errors.Join(err, l.abandon(asked.Name))
	}
	if err := l.start(s, lock); err != nil {
		return Machine{}, err
	}
	return l.look(s)
}

// settle returns the settings of the machine that exists, or chooses and keeps those that are missing.
func (l *Lab) settle(asked Spec) (Spec, error) {
	lock, err := lockFolder(l.dir)
	if err != nil {
		return Spec{}, err
	}
	defer lock.Close()
	s, err := l.spec(asked.Name)
	if err == nil {
		if names := s.differs(asked); len(names) > 0 {
			return s, fmt.Errorf("%s: %w: %s", s.Name, ErrDiffers, strings.Join(names, ", "))
		}
		return s, nil
	}
	if !errors.Is(err, ErrUnknown) {
		return s, err
	}
	if s, err = l.choose(asked); err != nil {
		return s, err
	}
	if err := s.validate(); err != nil {
		return s, err
	}
	if err := foreign(s.Cluster, l.dir); err != nil {
		return s, err
	}
	return s, writeJSON(l.path(s.Name, specName), s)
}

// choose fills in what the caller left open, like the machines that exist.
func (l *Lab) choose(s Spec) (Spec, error) {
	others, err := l.specs()
	if err != nil {
		return s, err
	}
	first := Spec{Cluster: DefaultCluster, Subnet: netip.MustParsePrefix(DefaultSubnet)}
	if len(others) > 0 {
		first = others[0]
	}
	s.Cluster = cmp.Or(s.Cluster, first.Cluster)
	if !s.Subnet.IsValid() {
		s.Subnet = first.Subnet
	}
	s.DiskGiB = cmp.Or(s.DiskGiB, DefaultDiskGiB)
	taken := map[netip.Addr]bool{}
	for _, o := range others {
		taken[o.Address] = true
		if o.Cluster != s.Cluster || o.Subnet != s.Subnet {
			return s, fmt.Errorf("the state folder holds cluster %s on %s, not %s on %s",
				o.Cluster, o.Subnet, s.Cluster, s.Subnet)
		}
	}
	if s.Address.IsValid() && taken[s.Address] {
		return s, fmt.Errorf("address %s is another machine's", s.Address)
	}
	if !s.Address.IsValid() {
		s.Address = s.Subnet.Addr()
		for range FirstHost {
			s.Address = s.Address.Next()
		}
		for taken[s.Address] {
			s.Address = s.Address.Next()
		}
	}
	return l.choosePorts(s, others)
}

func (l *Lab) choosePorts(s Spec, others []Spec) (Spec, error) {
	reserved, err := l.reserved()
	if err != nil {
		return s, err
	}
	own, known := reserved[s.Name]
	for _, o := range others {
		reserved[o.Name] = Reservation{ID: o.ID, SSHPort: o.SSHPort, APIPort: o.APIPort}
	}
	if !known {
		if own, err = reserve(s.Name, s.ControlPlane, reserved); err != nil {
			return s, err
		}
	}
	s.ID = cmp.Or(s.ID, own.ID)
	s.SSHPort = cmp.Or(s.SSHPort, own.SSHPort)
	if s.ControlPlane {
		s.APIPort = cmp.Or(s.APIPort, own.APIPort)
	}
	return s, nil
}

// abandon removes the folder of a machine that was never settled.
func (l *Lab) abandon(name string) error {
	if _, err := l.spec(name); err == nil {
		return nil
	}
	return errors.Join(removeIfEmpty(l.path(name)), removeIfEmpty(l.dir))
}

// Start boots a machine that is off.
func (l *Lab) Start(name string) (Machine, error) {
	if err := needRoot(); err != nil {
		return Machine{}, err
	}
	s, err := l.spec(name)
	if err != nil {
		return Machine{}, err
	}
	lock, err := lockFolder(l.path(name))
	if err != nil {
		return Machine{}, err
	}
	defer lock.Close()
	if err := l.start(s, lock); err != nil {
		return Machine{}, err
	}
	return l.look(s)
}

// start needs the machine's lock.
func (l *Lab) start(s Spec, lock *os.File) error {
	if _, err := os.Stat(l.path(s.Name, cutName)); err == nil {
		if err := l.cut(s); err != nil {
			return err
		}
	}
	pid, err := l.supervisorOf(s.Name)
	if err != nil || pid != 0 {
		return err
	}
	if !isFolder(s.Image) {
		return fmt.Errorf("the image %s of %s is gone: delete the machine and make it again", s.Image, s.Name)
	}
	if err := ensureDisk(l.path(s.Name, diskName), s.DiskGiB); err != nil {
		return err
	}
	if err := l.connect(s); err != nil {
		return err
	}
	return l.spawn(s.Name, lock)
}

// connect makes the computer and the network ready, also after the computer itself was started anew.
func (l *Lab) connect(s Spec) error {
	lock, err := lockFolder(l.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := register(s.Cluster, l.dir); err != nil {
		return err
	}
	return ensureNetwork(s)
}

// spawn starts the machine's supervisor, which outlives us, and returns when the machine boots. The
// supervisor shares the machine's lock until then: should we be killed, the next start or deletion finds
// it keeping the machine, and never between its own start and that.
func (l *Lab) spawn(name string, lock *os.File) error {
	log, err := os.OpenFile(l.path(name, logName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the supervisor's log: %w", err)
	}
	defer log.Close()
	ready, readyEnd, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe: %w", err)
	}
	defer ready.Close()
	cmd := exec.Command("/proc/self/exe", "machine", SuperviseCommand, name, //nolint:noctx // it outlives us
		"--state-dir", stateOf(l.dir))
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{readyEnd, lock} // readyOutput, lockInput
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	_ = readyEnd.Close()
	if err != nil {
		return fmt.Errorf("starting the supervisor of %s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }() // so that it leaves no zombie while we live
	var fault string
	if err := json.NewDecoder(ready).Decode(&fault); err != nil {
		return fmt.Errorf("the supervisor of %s ended early; see %s", name, log.Name())
	}
	if fault != "" {
		return errors.New(fault)
	}
	return nil
}

// AwaitSSH returns when the machine's SSH server greets, or ctx ends.
func (l *Lab) AwaitSSH(ctx context.Context, m Machine) error {
	const pause = 50 * time.Millisecond
	for {
		if greets(ctx, m.SSHPort) {
			return nil
		}
		if pid, err := l.supervisorOf(m.Name); err != nil || pid == 0 {
			return errors.Join(fmt.Errorf("waiting for %s: %w", m.Name, ErrOff), err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for SSH of %s: %w", m.Name, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func greets(ctx context.Context, port int) bool {
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return false
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return err == nil && strings.HasPrefix(line, "SSH-")
}
