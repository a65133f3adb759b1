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
	for _, dir := range []string{"dev", "etc/ssh", "etc/systemd", "lib/systemd", "proc", "root", "sys", "var/tmp"} {
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
