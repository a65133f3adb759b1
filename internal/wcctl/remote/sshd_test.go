package remote

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

// sshd is a real OpenSSH server of the test's own on loopback.
type sshd struct {
	host    string
	port    int
	hostKey string // its private host key file
	keyFile string // a private key that may log in
	path    string // a folder that comes first in the sessions' PATH
	user    string
}

const sshdProgram = "/usr/sbin/sshd"

// startSSHD serves the user who runs the test until the test ends.
func startSSHD(t *testing.T) *sshd {
	t.Helper()
	return startSSHDAt(t, freeAddress(t), filepath.Join(t.TempDir(), "host_key"))
}

func startSSHDAt(t *testing.T, address, hostKey string) *sshd {
	t.Helper()
	if _, err := os.Stat(sshdProgram); err != nil {
		t.Skip("no " + sshdProgram + " here: install the package openssh-server")
	}
	me, err := user.Current()
	must(t, err)
	if me.Uid == "0" {
		must(t, os.MkdirAll("/run/sshd", 0o755))
	}
	folder := t.TempDir()
	host, port, err := net.SplitHostPort(address)
	must(t, err)
	s := &sshd{
		host: host, hostKey: hostKey, keyFile: filepath.Join(folder, "key"),
		path: filepath.Join(folder, "bin"), user: me.Username,
	}
	s.port, err = strconv.Atoi(port)
	must(t, err)
	must(t, os.Mkdir(s.path, 0o755))
	if _, err := os.Stat(hostKey); err != nil {
		writeKey(t, hostKey)
	}
	authorized := ssh.MarshalAuthorizedKey(writeKey(t, s.keyFile))
	must(t, os.WriteFile(filepath.Join(folder, "authorized"), authorized, 0o600))
	config := fmt.Sprintf("ListenAddress %s\nPort %s\nHostKey %s\nAuthorizedKeysFile %s\n"+
		"StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\nPidFile none\n"+
		"MaxStartups 100\nSetEnv PATH=%s:/usr/sbin:/usr/bin:/sbin:/bin\n",
		host, port, hostKey, filepath.Join(folder, "authorized"), s.path)
	must(t, os.WriteFile(filepath.Join(folder, "config"), []byte(config), 0o600))
	s.start(t, filepath.Join(folder, "config"), address)
	return s
}

func (s *sshd) start(t *testing.T, config, address string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(sshdProgram, "-D", "-e", "-f", config)
	cmd.Stderr = &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("sshd on %s said:\n%s", address, log.String())
		}
	})
	eventually(t, "sshd listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

func (s *sshd) address() string { return hostPort(s.host, s.port) }

func (s *sshd) machine(name string) fleet.Machine {
	return fleet.Machine{
		Name: name, Role: fleet.Worker, Address: s.host,
		SSH: fleet.SSH{Host: s.host, Port: s.port, User: s.user},
	}
}

// options log in to the server with its key, no agent and a known_hosts file of the test's own.
func (s *sshd) options(t *testing.T) Options {
	t.Helper()
	return Options{
		Machine: s.machine("worker-1"), KeyFile: s.keyFile, Agent: noAgent,
		KnownHosts: filepath.Join(t.TempDir(), "known_hosts"),
	}
}

// dial logs in for the time of the test.
func dial(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := Dial(t.Context(), o)
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

var nextPort atomic.Int32

// freeAddress is below the ports that connections are given, so nobody else takes it meanwhile.
func freeAddress(t *testing.T) string {
	t.Helper()
	const first, count = 20000, 10000
	nextPort.CompareAndSwap(0, rand.Int32N(count))
	for range count {
		address := hostPort("127.0.0.1", first+int(nextPort.Add(1))%count)
		if listener, err := net.Listen("tcp", address); err == nil {
			_ = listener.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}

// writeKey makes an Ed25519 key in path and path.pub.
func writeKey(t *testing.T, path string) ssh.PublicKey {
	t.Helper()
	return writeKeyWith(t, path, func(key ed25519.PrivateKey) (*pem.Block, error) {
		return ssh.MarshalPrivateKey(key, "")
	})
}

func writeKeyWith(
	t *testing.T, path string, marshal func(ed25519.PrivateKey) (*pem.Block, error),
) ssh.PublicKey {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	block, err := marshal(private)
	must(t, err)
	must(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	key, err := ssh.NewPublicKey(public)
	must(t, err)
	must(t, os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(key), 0o644))
	return key
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	const patience, pause = time.Minute, 20 * time.Millisecond
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("waited %s in vain: %s", patience, what)
		case <-tick.C:
		}
	}
}
