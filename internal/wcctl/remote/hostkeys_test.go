package remote

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
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

func TestManyLoginsPinOnce(t *testing.T) {
	t.Parallel()
	o := startSSHD(t).options(t)
	var group sync.WaitGroup
	for range 12 {
		group.Go(func() {
			c, err := Dial(t.Context(), o)
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.Close()
		})
	}
	group.Wait()
	data, err := os.ReadFile(o.KnownHosts)
	must(t, err)
	if got := strings.Count(string(data), "\n"); got != 1 {
		t.Errorf("%d lines:\n%s", got, data)
	}
}
