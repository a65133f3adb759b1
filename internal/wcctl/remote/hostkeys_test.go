package remote

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

func TestHostKeyIsPinnedForOpenSSH(t *testing.T) {
	t.Parallel()
	client, err := exec.LookPath("ssh")
	if err != nil {
		t.Skip("no OpenSSH client here")
	}
	server := startSSHD(t)
	o := server.options(t)
	dial(t, o)
	dial(t, o)
	data, err := os.ReadFile(o.KnownHosts)
	must(t, err)
	if got := strings.Count(string(data), "\n"); got != 1 {
		t.Errorf("%d lines after two logins:\n%s", got, data)
	}
	out, err := exec.Command(client, "-F", "none", "-o", "StrictHostKeyChecking=yes",
		"-o", "UserKnownHostsFile="+o.KnownHosts, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
		"-i", o.KeyFile, "-p", strconv.Itoa(server.port), server.user+"@"+server.host,
		"echo it works").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "it works") {
		t.Errorf("ssh with our known_hosts: %v\n%s", err, out)
	}
}

func TestChangedHostKey(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	first := filepath.Join(t.TempDir(), "first")
	second := filepath.Join(t.TempDir(), "second")
	oldKey, newKey := writeKey(t, first), writeKey(t, second)
	knownHosts := filepath.Join(t.TempDir(), "with space", "known_hosts")
	t.Run("pin", func(t *testing.T) {
		o := startSSHDAt(t, address, first).options(t)
		o.KnownHosts = knownHosts
		dial(t, o)
	})
	o := startSSHDAt(t, address, second).options(t)
	o.KnownHosts = knownHosts
	_, err := Dial(t.Context(), o)
	var e *Error
	if !errors.As(err, &e) || e.Kind != HostKeyChanged || e.Temporary() {
		t.Fatalf("got %v", err)
	}
	for _, key := range []ssh.PublicKey{oldKey, newKey} {
		if shown := ssh.FingerprintSHA256(key); !strings.Contains(e.Error(), shown) {
			t.Errorf("%q does not name %s", e, shown)
		}
	}
	if out, err := exec.Command("sh", "-c", e.Hint).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", e.Hint, err, out)
	}
	dial(t, o)
}

func TestForget(t *testing.T) {
	t.Parallel()
	one, two := startSSHD(t), startSSHD(t)
	o := one.options(t)
	dial(t, o)
	o.Machine, o.KeyFile = two.machine("worker-2"), two.keyFile
	dial(t, o)
	must(t, Forget(o.KnownHosts, one.host, one.port))
	data, err := os.ReadFile(o.KnownHosts)
	must(t, err)
	if text := string(data); strings.Contains(text, ":"+strconv.Itoa(one.port)) ||
		!strings.Contains(text, ":"+strconv.Itoa(two.port)) {
		t.Errorf("left is:\n%s", text)
	}
	must(t, Forget(filepath.Join(t.TempDir(), "none"), one.host, one.port))
}

// A crash in the middle of another program's append must not spoil the next line.
func TestPinAfterATornLine(t *testing.T) {
	t.Parallel()
	o := startSSHD(t).options(t)
	must(t, os.WriteFile(o.KnownHosts, []byte("# half a remark"), 0o600))
	dial(t, o)
	dial(t, o)
	data, err := os.ReadFile(o.KnownHosts)
	must(t, err)
	if !strings.HasPrefix(string(data), "# half a remark\n[127.0.0.1]:") {
		t.Errorf("got\n%s", data)
	}
}

func TestDialAllPinsEachOnce(t *testing.T) {
	t.Parallel()
	server := startSSHD(t)
	o := server.options(t)
	machines := fleet.Fleet{}
	for i := range 12 {
		machines = append(machines, server.machine("worker-"+strconv.Itoa(i)))
	}
	dead := server.machine("dead")
	_, port, _ := strings.Cut(freeAddress(t), ":")
	dead.SSH.Port, _ = strconv.Atoi(port)
	pool, err := DialAll(t.Context(), append(machines, dead), o, 4)
	t.Cleanup(func() { must(t, pool.Close()) })
	var e *Error
	if !errors.As(err, &e) || e.Kind != Refused || e.Host != "dead" {
		t.Errorf("got %v", err)
	}
	if got := len(pool.Clients()); got != len(machines) {
		t.Errorf("%d logins", got)
	}
	if _, err := pool.Client("dead"); err == nil {
		t.Error("a login to the dead machine")
	}
	data, err := os.ReadFile(o.KnownHosts)
	must(t, err)
	if got := strings.Count(string(data), "\n"); got != 1 {
		t.Errorf("%d lines:\n%s", got, data)
	}
}
