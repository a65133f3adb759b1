package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"github.com/gofrs/flock"
	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
)

// hostKeyOrder is what a new machine is asked for first.
var hostKeyOrder = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521,
	ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

const (
	lockWait  = 10 * time.Second
	lockPause = 20 * time.Millisecond
)

// hostKeys is the file of pinned keys, as one machine's login sees it.
type hostKeys struct {
	file    string
	options Options
	db      *knownhosts.HostKeyDB
}

func openHostKeys(o Options) (*hostKeys, error) {
	k := &hostKeys{file: o.KnownHosts, options: o}
	if k.file == "" {
		return nil, k.fault(errors.New("no file for host keys was named"))
	}
	if err := os.MkdirAll(filepath.Dir(k.file), 0o700); err != nil {
		return nil, k.fault(err)
	}
	if err := k.load(); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *hostKeys) load() error {
	file, err := os.OpenFile(k.file, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return k.fault(err)
	}
	_ = file.Close()
	if k.db, err = knownhosts.NewDB(k.file); err != nil {
		return k.fault(err)
	}
	return nil
}

func (k *hostKeys) fault(err error) error {
	e := newError(k.options, KnownHosts, fmt.Errorf("reading the host keys %s: %w", k.file, err))
	e.Hint = "ls -l " + quote(k.file)
	return e
}

// algorithms asks for the pinned kinds of key first. The others follow, so that a machine that was
// made anew shows itself as changed and not as a server that speaks another language.
func (k *hostKeys) algorithms(address string) []string {
	algorithms := k.db.HostKeyAlgorithms(address)
	for _, a := range hostKeyOrder {
		if !slices.Contains(algorithms, a) {
			algorithms = append(algorithms, a)
		}
	}
	return algorithms
}

// check is the library's host key callback: a known key passes, a new machine's is pinned.
func (k *hostKeys) check(address string, _ net.Addr, key ssh.PublicKey) error {
	unlock, err := lockFile(k.file)
	if err != nil {
		return k.fault(err)
	}
	defer unlock()
	// Somebody else may have met the machine since we read the file.
	if err := k.load(); err != nil {
		return err
	}
	err = k.db.HostKeyCallback()(address, &net.TCPAddr{IP: net.IPv4zero}, key)
	switch {
	case err == nil:
		return nil
	case knownhosts.IsHostKeyChanged(err):
		return k.changed(address, key)
	case knownhosts.IsHostUnknown(err):
		return k.pin(address, key)
	default:
		return k.fault(err)
	}
}

func (k *hostKeys) changed(address string, key ssh.PublicKey) error {
	pinned := []string{}
	for _, known := range k.db.HostKeys(address) {
		pinned = append(pinned, known.Type()+" "+ssh.FingerprintSHA256(known))
	}
	e := newError(k.options, HostKeyChanged, fmt.Errorf(
		"%s shows another host key than at first contact: now %s %s, pinned %s; "+
			"either the machine was made anew, or somebody stands between",
		address, key.Type(), ssh.FingerprintSHA256(key), strings.Join(pinned, ", ")))
	e.Hint = fmt.Sprintf("ssh-keygen -f %s -R %s", quote(k.file), quote(knownhosts.Normalize(address)))
	return e
}

func (k *hostKeys) pin(address string, key ssh.PublicKey) error {
	data, err := os.ReadFile(k.file)
	if err != nil {
		return k.fault(err)
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(data, '\n')
	}
	data = append(data, knownhosts.Line([]string{address}, key)+"\n"...)
	if err := renameio.WriteFile(k.file, data, 0o600); err != nil {
		return k.fault(err)
	}
	return nil
}

// Forget drops the pinned keys of a machine that is gone or was made anew.
func Forget(knownHosts, host string, port int) error {
	unlock, err := lockFile(knownHosts)
	if err != nil {
		return fmt.Errorf("locking the host keys: %w", err)
	}
	defer unlock()
	data, err := os.ReadFile(knownHosts)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the host keys: %w", err)
	}
	name := knownhosts.Normalize(hostPort(host, port))
	var kept strings.Builder
	for line := range strings.Lines(string(data)) {
		names, _, _ := strings.Cut(line, " ")
		if !slices.Contains(strings.Split(names, ","), name) {
			kept.WriteString(line)
		}
	}
	return renameio.WriteFile(knownHosts, []byte(kept.String()), 0o600)
}

// lockFile keeps other processes, and other logins of this one, from writing the file.
func lockFile(path string) (func(), error) {
	lock := flock.New(path + ".lock")
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	if _, err := lock.TryLockContext(ctx, lockPause); err != nil {
		return nil, fmt.Errorf("waiting for %s.lock: %w", path, err)
	}
	return func() { _ = lock.Unlock() }, nil
}
