package localmachine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
)

// TestMain is also wcctl's hidden commands, and the systemd of the machines that these tests boot.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "systemd" {
		os.Exit(beSystemd())
	}
	if len(os.Args) > 2 && os.Args[1] == "machine" {
		if err := beWcctl(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func beWcctl(args []string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	switch args[0] {
	case localmachine.InitCommand:
		return localmachine.RunInit()
	case localmachine.SuperviseCommand:
		return localmachine.Supervise(context.Background(), args[3], args[1], log)
	}
	lab, err := localmachine.Open(args[1])
	if err != nil {
		return err
	}
	switch args[0] {
	case "create":
		_, err = lab.Create(context.Background(), spec(args[2], args[2]+"-1"),
			localmachine.ImageOptions{CacheDir: args[3], Tar: args[4]})
	case "delete":
		err = lab.Delete(args[2] + "-1")
	default:
		err = errors.New("unknown command " + args[0])
	}
	return err
}

// beSystemd is the first process of a machine: it takes systemd's orders and greets as SSH does.
func beSystemd() int {
	if len(os.Args) > 1 && os.Args[1] == "say" {
		host, err := os.Hostname()
		fmt.Println(host, os.Getpid() != 1, err)
		return 7
	}
	orders := make(chan os.Signal, 1)
	signal.Notify(orders, syscall.Signal(37), syscall.Signal(39))
	listener, err := net.Listen("tcp", ":22")
	if err != nil {
		fmt.Println("listening:", err)
		return 1
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "SSH-2.0-test\r\n")
			_ = conn.Close()
		}
	}()
	console, err := os.OpenFile("/dev/console", os.O_WRONLY, 0)
	if err != nil {
		return 1
	}
	fmt.Fprintln(console, "up as", os.Getpid())
	order := unix.LINUX_REBOOT_CMD_POWER_OFF
	if <-orders == syscall.Signal(39) {
		order = unix.LINUX_REBOOT_CMD_RESTART
	}
	_ = unix.Reboot(order)
	return 1
}

// world is a lab whose machines boot this test's program.
type world struct {
	lab          *localmachine.Lab
	dir, cluster string
	cache, tar   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("machines need root")
	}
	if os.Getenv("CGO_ENABLED") != "0" && isDynamic(t) {
		t.Skip("the test's program is no init: it needs libraries; build it with CGO_ENABLED=0")
	}
	w := &world{cluster: fmt.Sprintf("t%x%x", os.Getpid(), time.Now().UnixNano()&0xffffff)}
	w.lab, w.dir = openLab(t)
	w.cache, w.tar = t.TempDir(), filepath.Join(t.TempDir(), "image.tar")
	root := t.TempDir()
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"lib/systemd", "etc/systemd", "etc/ssh", "proc", "sys", "dev", "var/tmp", "root"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(root+"/lib/systemd/systemd", program, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := localmachine.SaveImage(t.Context(), root, w.tar); err != nil {
		t.Fatal(err)
	}
	before := w.traces(t)
	if len(before) > 0 {
		t.Fatalf("traces before the test: %v", before)
	}
	t.Cleanup(func() {
		for _, name := range []string{w.name(1), w.name(2)} {
			if err := w.lab.Delete(name); err != nil {
				t.Errorf("deleting %s: %v", name, err)
			}
		}
		if left := w.traces(t); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	})
	return w
}

func isDynamic(t *testing.T) bool {
	t.Helper()
	out, err := exec.Command("ldd", "/proc/self/exe").CombinedOutput()
	return err == nil && !bytes.Contains(out, []byte("not a dynamic"))
}

func (w *world) name(i int) string { return fmt.Sprintf("%s-%d", w.cluster, i) }

func (w *world) image() localmachine.ImageOptions {
	return localmachine.ImageOptions{CacheDir: w.cache, Tar: w.tar}
}

// create makes and boots machine i and waits for its greeting.
func (w *world) create(t *testing.T, i int) localmachine.Machine {
	t.Helper()
	m, err := w.lab.Create(t.Context(), spec(w.cluster, w.name(i)), w.image())
	if err != nil {
		t.Fatal(err)
	}
	w.await(t, m)
	return m
}

func (w *world) await(t *testing.T, m localmachine.Machine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.lab.AwaitSSH(ctx, m); err != nil {
		console, _ := os.ReadFile(w.lab.ConsolePath(m.Name))
		t.Fatalf("%v\n%s", err, console)
	}
}

func (w *world) find(t *testing.T, i int) localmachine.Machine {
	t.Helper()
	m, err := w.lab.Find(w.name(i))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// traces are all things of this computer that have to do with the lab.
func (w *world) traces(t *testing.T) []string {
	t.Helper()
	var found []string
	note := func(kind, text string) { found = append(found, kind+" "+text) }
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		line, _ := os.ReadFile(path)
		words := strings.ReplaceAll(string(line), "\x00", " ")
		if strings.Contains(words, w.dir) {
			note("process", words)
		}
	}
	for kind, pattern := range map[string]string{
		"namespace": "/run/netns/wc-" + w.cluster + "*", "group": "/sys/fs/cgroup/*/wc-" + w.cluster + "*",
		"group v2": "/sys/fs/cgroup/wc-" + w.cluster + "*", "lab": "/run/wastecoach/labs/" + w.cluster + "*",
		"file": w.dir + "/*",
	} {
		paths, _ := filepath.Glob(pattern)
		for _, path := range paths {
			note(kind, path)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, w.dir) || strings.Contains(line, w.cluster) {
			note("mount", line)
		}
	}
	loops, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, path := range loops {
		if backing, _ := os.ReadFile(path); strings.Contains(string(backing), w.dir) {
			note("loop device", path)
		}
	}
	return found
}

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

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatal("it did not happen in time")
		case <-ticker.C:
		}
	}
}
