package localmachine

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"os"
	"strconv"
)

// Forwards get ports below those that the kernel gives to outgoing connections.
const (
	firstPort = 20000
	portCount = 10000
)

// Reservation is what Terraform must know of a machine before it is made.
type Reservation struct {
	// ID changes when the machine was deleted by other means, so that Terraform makes it again.
	ID      string `json:"id"`
	SSHPort int    `json:"ssh_port"`
	// APIPort is 0 but for the control plane.
	APIPort int `json:"api_port"`
}

// Reserve returns what each machine has, or will be made with. The first name is the control plane.
// It answers the same until a machine is deleted.
func (l *Lab) Reserve(names []string) (map[string]Reservation, error) {
	if len(names) == 0 {
		return nil, errors.New("reserving ports for no machine")
	}
	lock, err := lockFolder(l.dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	all, err := l.reserved()
	if err != nil {
		return nil, err
	}
	specs, err := l.specs()
	if err != nil {
		return nil, err
	}
	for _, s := range specs {
		all[s.Name] = Reservation{ID: s.ID, SSHPort: s.SSHPort, APIPort: s.APIPort}
	}
	answer := map[string]Reservation{}
	for i, name := range names {
		r, known := all[name]
		if !known {
			if r, err = reserve(name, i == 0, all); err != nil {
				return nil, err
			}
			all[name] = r
		}
		answer[name] = r
	}
	return answer, writeJSON(l.path(reservedName), all)
}

func (l *Lab) reserved() (map[string]Reservation, error) {
	all := map[string]Reservation{}
	err := readJSON(l.path(reservedName), &all)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return all, err
}

// release forgets a machine that is deleted.
func (l *Lab) release(name string) error {
	all, err := l.reserved()
	if err != nil {
		return err
	}
	delete(all, name)
	if len(all) == 0 {
		if err := os.Remove(l.path(reservedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("forgetting reserved ports: %w", err)
		}
		return nil
	}
	return writeJSON(l.path(reservedName), all)
}

func reserve(name string, controlPlane bool, taken map[string]Reservation) (Reservation, error) {
	ports := map[int]bool{}
	for _, r := range taken {
		ports[r.SSHPort], ports[r.APIPort] = true, true
	}
	id, err := newID()
	if err != nil {
		return Reservation{}, err
	}
	r := Reservation{ID: id}
	if r.SSHPort, err = freePort(name+":22", ports); err != nil {
		return r, err
	}
	ports[r.SSHPort] = true
	if controlPlane {
		r.APIPort, err = freePort(name+":6443", ports)
	}
	return r, err
}

func newID() (string, error) {
	id := make([]byte, 4)
	if _, err := rand.Read(id); err != nil {
		return "", fmt.Errorf("choosing an id: %w", err)
	}
	return hex.EncodeToString(id), nil
}

// freePort prefers the same port for the same name, on any computer.
func freePort(name string, taken map[int]bool) (int, error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash takes all
	for i := range portCount {
		port := firstPort + (int(h.Sum32()%portCount)+i)%portCount
		if !taken[port] && portIsFree(port) {
			return port, nil
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free", firstPort, firstPort+portCount-1)
}

func portIsFree(port int) bool {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // immediate
	if err != nil {
		return false
	}
	return l.Close() == nil
}
