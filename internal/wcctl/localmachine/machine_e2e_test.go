//go:build e2e && linux

package localmachine_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
)

const (
	// bootGoal and imageGoal are what the design asks of three machines and of their image.
	bootGoal  = 10 * time.Second
	imageGoal = 90 * time.Second
)

// TestThreeServers boots Debian on three machines, as wcctl up --target local does.
func TestThreeServers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	settings := readSettings(t)
	began := time.Now()
	image := localmachine.ImageOptions{Progress: func(line string) { t.Log(line) }}
	if _, err := localmachine.EnsureImage(t.Context(), image); err != nil {
		t.Fatal(err)
	}
	took(t, "image", began, imageGoal)
	signer, line := newKey(t)
	machines := make([]localmachine.Machine, 3)
	began = time.Now()
	var all sync.WaitGroup
	for i := range machines {
		all.Go(func() { machines[i] = w.boot(t, i+1, line, image) })
	}
	all.Wait()
	took(t, "three machines", began, bootGoal)
	for _, m := range machines {
		if got := run(t, m, signer, "hostname; systemctl is-system-running --wait"); got != m.Name+"\nrunning\n" {
			t.Errorf("%s says %q", m.Name, got)
		}
	}
	distinct(t, machines, signer)
	staysInside(t, machines, signer)
	clockIsWrong(t, w, machines[1], signer)
	full(t, w, machines[2], signer)
	for _, m := range machines {
		if cut, err := w.lab.Stop(t.Context(), m.Name); err != nil || cut {
			t.Errorf("stopping %s: cut %v, %v", m.Name, cut, err)
		}
		if err := w.lab.Delete(m.Name); err != nil {
			t.Error(err)
		}
	}
	if labs, _ := filepath.Glob("/run/wastecoach/labs/*"); len(labs) == 0 {
		if after := readSettings(t); after != settings {
			t.Errorf("settings of this computer changed: %s, then %s", settings, after)
		}
	}
}

func (w *world) boot(t *testing.T, i int, key string, image localmachine.ImageOptions) localmachine.Machine {
	s := spec(w.cluster, w.name(i))
	s.AuthorizedKey, s.DiskGiB = key, 4
	m, err := w.lab.Create(t.Context(), s, image)
	if err != nil {
		t.Error(err)
		return m
	}
	t.Cleanup(func() {
		if err := w.lab.Delete(m.Name); err != nil {
			t.Error(err)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.lab.AwaitSSH(ctx, m); err != nil {
		t.Error(err)
	}
	return m
}

// distinct shows that no two machines share what must be a machine's own.
func distinct(t *testing.T, machines []localmachine.Machine, signer ssh.Signer) {
	t.Helper()
	for _, path := range []string{
		"/etc/machine-id", "/proc/sys/kernel/random/boot_id", "/etc/ssh/ssh_host_ed25519_key.pub",
		"/sys/class/net/eth0/address",
	} {
		seen := map[string]bool{}
		for _, m := range machines {
			seen[run(t, m, signer, "cat "+path)] = true
		}
		if len(seen) != len(machines) {
			t.Errorf("machines share %s: %v", path, seen)
		}
	}
}

func staysInside(t *testing.T, machines []localmachine.Machine, signer ssh.Signer) {
	t.Helper()
	run(t, machines[0], signer, "ping -c1 -W2 "+machines[1].Address.String())
	// TEST-NET-1 belongs to nobody; what is sent there must not even find a way.
	got := run(t, machines[0], signer, "ping -c1 -W1 192.0.2.1 2>&1; true")
	if !strings.Contains(got, "100% packet loss") {
		t.Errorf("a way out: %s", got)
	}
	if got := run(t, machines[0], signer, "getent hosts example.org; echo $?"); got != "2\n" {
		t.Errorf("a name was found: %q", got)
	}
}

func clockIsWrong(t *testing.T, w *world, m localmachine.Machine, signer ssh.Signer) {
	t.Helper()
	offset := func() time.Duration {
		seconds, err := strconv.ParseInt(strings.TrimSpace(run(t, m, signer, "date +%s")), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Until(time.Unix(seconds, 0)).Round(time.Minute)
	}
	for _, by := range []time.Duration{10 * time.Minute, -2 * time.Hour, 0} {
		if err := w.lab.SkewClock(t.Context(), m.Name, by); err != nil {
			t.Fatal(err)
		}
		w.await(t, m)
		if got := offset(); got != by {
			t.Errorf("the clock is wrong by %s, want %s", got, by)
		}
	}
	if err := w.lab.SkewClock(t.Context(), m.Name, time.Hour); err != nil {
		t.Fatal(err)
	}
	again, err := w.lab.Reboot(t.Context(), m.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.await(t, again)
	if got := offset(); got != 0 {
		t.Errorf("after a reboot the clock is wrong by %s", got)
	}
}

func full(t *testing.T, w *world, m localmachine.Machine, signer ssh.Signer) {
	t.Helper()
	const free = "df --output=avail / /var/lib/containerd | tail -n +2 | tr -d ' \n'"
	if err := w.lab.FillDisk(m.Name, true); err != nil {
		t.Fatal(err)
	}
	if got := run(t, m, signer, free); got != "00" {
		t.Errorf("free on the full disk: %s", got)
	}
	if err := w.lab.FillDisk(m.Name, false); err != nil {
		t.Fatal(err)
	}
	if got := run(t, m, signer, free); got == "00" {
		t.Error("the disk stays full")
	}
}

func newKey(t *testing.T) (ssh.Signer, string) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
}

func run(t *testing.T, m localmachine.Machine, signer ssh.Signer, command string) string {
	t.Helper()
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(m.SSHPort))
	client, err := ssh.Dial("tcp", address, &ssh.ClientConfig{
		User: "root", Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, Timeout: 20 * time.Second,
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	if err != nil {
		t.Fatalf("logging in to %s: %v", m.Name, err)
	}
	defer client.Close()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	session.Stdout, session.Stderr = &out, &errs
	if err := session.Run(command); err != nil {
		t.Errorf("%s on %s: %v\n%s%s", command, m.Name, err, out.String(), errs.String())
	}
	return out.String()
}

// readSettings are those that kubelet, systemd and labs change.
func readSettings(t *testing.T) string {
	t.Helper()
	var lines []string
	for _, pattern := range []string{
		"fs/inotify/max_*", "fs/protected_*", "kernel/panic*", "kernel/pid_max", "kernel/printk",
		"kernel/core_pattern", "kernel/keys/*", "vm/overcommit_memory", "vm/panic_on_oom",
		"vm/max_map_count", "vm/swappiness",
	} {
		paths, err := filepath.Glob("/proc/sys/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			value, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, path+"="+strings.TrimSpace(string(value)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

func took(t *testing.T, what string, began time.Time, goal time.Duration) {
	t.Helper()
	d := time.Since(began)
	fmt.Printf("%s: %s\n", what, d.Round(10*time.Millisecond))
	if d > goal {
		t.Errorf("%s took %s, goal %s", what, d, goal)
	}
}
