package localmachine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/sys/mountinfo"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
)

func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.create(t, 1), w.create(t, 2)
	if one.State != localmachine.Running || one.Boots != 1 || one.PID == 0 || one.Supervisor == 0 {
		t.Errorf("after its creation: %+v", one)
	}
	if one.Address == two.Address || one.SSHPort == two.SSHPort {
		t.Errorf("two machines share an address or a port: %+v, %+v", one, two)
	}
	again := w.create(t, 1)
	if again.PID != one.PID {
		t.Errorf("a second creation booted it again: %d, then %d", one.PID, again.PID)
	}
	rebooted, err := w.lab.Reboot(t.Context(), one.Name)
	if err != nil || rebooted.Boots != 2 || rebooted.PID == one.PID {
		t.Errorf("rebooted to %+v: %v", rebooted, err)
	}
	w.await(t, rebooted)
	if cut, err := w.lab.Stop(t.Context(), one.Name); cut || err != nil {
		t.Errorf("stopped: cut %v, %v", cut, err)
	}
	if m := w.find(t, 1); m.State != localmachine.Off || m.PID != 0 {
		t.Errorf("after its stop: %+v", m)
	}
	if m := w.find(t, 2); m.PID != two.PID {
		t.Errorf("the other machine changed: %+v", m)
	}
	started, err := w.lab.Start(one.Name)
	if err != nil {
		t.Fatal(err)
	}
	w.await(t, started)
	if err := w.lab.PowerCut(one.Name); err != nil {
		t.Error(err)
	}
	if m := w.find(t, 1); m.State != localmachine.Off || m.Boots != 3 {
		t.Errorf("after the power cut: %+v", m)
	}
	console, err := os.ReadFile(w.lab.ConsolePath(one.Name))
	if err != nil || strings.Count(string(console), "up as 1\n") != 3 {
		t.Errorf("the console has not three boots: %v\n%s", err, console)
	}
}

// TestNamespacesOfOthers shows that ip-netns(8), used while machines run, leaves them removable: it
// must find the folder of namespaces as it would make it itself.
func TestNamespacesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.create(t, 1)
	if shared, err := mountinfo.Mounted("/run/netns"); err != nil || !shared {
		t.Errorf("the folder of namespaces is no mount point of its own: %v", err)
	}
	other := w.cluster + "-other"
	for _, verb := range []string{"add", "delete"} {
		if out, err := exec.CommandContext(t.Context(), "ip", "netns", verb, other).CombinedOutput(); err != nil {
			t.Fatalf("ip netns %s: %v\n%s", verb, err, out)
		}
	}
	if err := w.lab.Delete(m.Name); err != nil {
		t.Error(err)
	}
}

// TestMachineEndsWithItsSupervisor shows that no machine can be left that nobody could stop.
func TestMachineEndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.create(t, 1)
	if err := syscall.Kill(m.Supervisor, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return errors.Is(syscall.Kill(m.PID, 0), syscall.ESRCH) })
	started := w.create(t, 1)
	if started.Boots != 2 {
		t.Errorf("created again: %+v", started)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.create(t, 1)
	if err := errors.Join(w.lab.CutNetwork(m.Name, true), w.lab.FillDisk(m.Name, true)); err != nil {
		t.Fatal(err)
	}
	want := []string{localmachine.NetworkCut, localmachine.DiskFull}
	if got := w.find(t, 1).Faults; !slices.Equal(got, want) {
		t.Errorf("faults %v, want %v", got, want)
	}
	file := fmt.Sprintf("/proc/%d/root/var/tmp/more", m.PID)
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("writing to the full disk: %v", err)
	}
	info, err := os.Stat(filepath.Join(filepath.Dir(w.lab.ConsolePath(m.Name)), "disk.img"))
	if err != nil {
		t.Fatal(err)
	}
	const used = 64 << 20
	if took := info.Sys().(*syscall.Stat_t).Blocks * 512; took > used {
		t.Errorf("the full disk takes %d bytes of this computer", took)
	}
	if err := errors.Join(w.lab.CutNetwork(m.Name, false), w.lab.FillDisk(m.Name, false)); err != nil {
		t.Fatal(err)
	}
	w.await(t, m)
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Errorf("writing to the free disk: %v", err)
	}
	if got := w.find(t, 1).Faults; len(got) > 0 {
		t.Errorf("faults are left: %v", got)
	}
}

func TestExec(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.create(t, 1)
	var out bytes.Buffer
	err := w.lab.Exec(t.Context(), m.Name, localmachine.ExecOptions{
		Command: []string{"/lib/systemd/systemd", "say"}, Stdout: &out, Stderr: &out,
	})
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 7 {
		t.Errorf("exit code: %v", err)
	}
	if want := m.Name + " true <nil>\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	for where, want := range map[localmachine.Where]string{
		localmachine.MachineNetwork: m.Address.String() + "/24", localmachine.LabNetwork: "10.99.0.1/24",
	} {
		out.Reset()
		err := w.lab.Exec(t.Context(), m.Name, localmachine.ExecOptions{
			Where: where, Command: []string{"ip", "-4", "-br", "address"}, Stdout: &out,
		})
		if err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("network %d: %v\n%s", where, err, out.String())
		}
	}
}

// TestSettingsStayInTheMachine writes as kubelet does.
func TestSettingsStayInTheMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.create(t, 1)
	for _, name := range []string{"vm/overcommit_memory", "kernel/panic", "kernel/keys/root_maxkeys"} {
		before, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(before)))
		if err != nil {
			t.Fatal(err)
		}
		inside := fmt.Sprintf("/proc/%d/root/proc/sys/%s", m.PID, name)
		want := strconv.Itoa(n + 1)
		if err := os.WriteFile(inside, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(inside); err != nil || string(got) != want {
			t.Errorf("%s is %q in the machine, want %s: %v", name, got, want, err)
		}
		if after, err := os.ReadFile("/proc/sys/" + name); err != nil || !bytes.Equal(after, before) {
			t.Errorf("%s of this computer was %s and is %s: %v", name, before, after, err)
		}
	}
}

func TestSettingsOfAMachineAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.create(t, 1)
	other := m.Spec
	other.DiskGiB++
	if _, err := w.lab.Create(t.Context(), other, w.image()); !errors.Is(err, localmachine.ErrDiffers) {
		t.Errorf("another disk: %v", err)
	}
	elsewhere, _ := openLab(t)
	_, err := elsewhere.Create(t.Context(), spec(w.cluster, w.name(3)), w.image())
	if !errors.Is(err, localmachine.ErrElsewhere) {
		t.Errorf("the same cluster elsewhere: %v", err)
	}
	if _, err := w.lab.Start(w.name(9)); !errors.Is(err, localmachine.ErrUnknown) {
		t.Errorf("starting no machine: %v", err)
	}
}

// TestKilledAnywhere kills creation, then deletion, ever later; the next try must end well.
func TestKilledAnywhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.create(t, 1) // the image is unpacked now
	for _, command := range []string{"delete", "create"} {
		ended := false
		for wait := time.Duration(0); !ended; wait = wait*3/2 + 5*time.Millisecond {
			if command == "create" {
				if err := w.lab.Delete(w.name(1)); err != nil {
					t.Fatal(err)
				}
			}
			ended = w.runAndKill(t, command, wait)
			w.create(t, 1)
		}
	}
}

// runAndKill tells whether the command ended before it was killed.
func (w *world) runAndKill(t *testing.T, command string, after time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), after)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", "machine", command, w.dir, w.cluster, w.cache, w.tar)
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() == nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return err == nil
}
