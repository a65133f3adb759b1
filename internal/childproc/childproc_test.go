package childproc_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

// parentEnv makes this binary a parent that starts a child and waits to be killed.
const parentEnv = "WASTECOACH_TEST_PARENT_LOG"

func TestMain(m *testing.M) {
	if log := os.Getenv(parentEnv); log != "" {
		p, err := childproc.Start(shell(log, "exec sleep 600"))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.PID())
		<-p.Done()
		os.Exit(2)
	}
	os.Exit(m.Run())
}

func shell(log, script string) childproc.Config {
	return childproc.Config{
		Path: "/bin/sh", Args: []string{"-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")},
		LogPath: log, DeathSignal: syscall.SIGKILL,
	}
}

func logFile(t *testing.T) string { return filepath.Join(t.TempDir(), "log") }

// gone polls until no process has the id; a zombie that its parent did not reap yet counts.
func gone(t *testing.T, pid int) {
	t.Helper()
	late := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("process %d lives on", pid)
		}
	}
}

func TestChildDiesWithKilledParent(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	parent := exec.CommandContext(t.Context(), program)
	parent.Env = append(os.Environ(), parentEnv+"="+logFile(t))
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the parent said %q", line)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Fatalf("the child never lived: %v", err)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	gone(t, pid)
}

// A death signal hits when the forking thread ends; here that of the caller does.
func TestChildOutlivesCallersThread(t *testing.T) {
	t.Parallel()
	started := make(chan *childproc.Process)
	ended := make(chan struct{})
	log := logFile(t)
	go func() {
		defer close(ended)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		p, err := childproc.Start(shell(log, "sleep 0.3; exit 7"))
		if err != nil {
			t.Error(err)
		}
		started <- p
	}()
	p := <-started
	<-ended
	if p == nil {
		return
	}
	// Left alone it ends by itself with 7; a death signal would show as "killed".
	<-p.Done()
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("it ended by %v", err)
	}
}

func TestErrCarriesTheLastLines(t *testing.T) {
	t.Parallel()
	log := logFile(t)
	if err := os.WriteFile(log, []byte("line of an earlier run\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := childproc.Run(t.Context(), shell(log, "for i in $(seq 1 30); do echo line $i; done; exit 3"))
	var ended *childproc.Error
	if !errors.As(err, &ended) {
		t.Fatalf("got %v", err)
	}
	lines := strings.Split(ended.Tail, "\n")
	if len(lines) != 20 || lines[0] != "line 11" || lines[19] != "line 30" {
		t.Errorf("tail %q", lines)
	}
	if !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), log) {
		t.Errorf("message: %v", err)
	}
	err = childproc.Run(t.Context(), shell(log, "exit 4"))
	if err == nil || strings.Contains(err.Error(), "line 30") {
		t.Errorf("lines of the run before: %v", err)
	}
}

func TestStop(t *testing.T) {
	t.Parallel()
	p, err := childproc.Start(shell(logFile(t), "trap '' TERM; while :; do sleep 0.01; done"))
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	// The signal may come before the trap: then there is nothing to resist.
	if err := p.Stop(short, syscall.SIGTERM); err != nil && !errors.Is(err, childproc.ErrStillRunning) {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Stop(short, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	if !p.Ended() || p.Err() != nil {
		t.Errorf("ended %v, %v", p.Ended(), p.Err())
	}
	gone(t, p.PID())
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{plain, plain + "-missing"} {
		cfg := shell(logFile(t), "")
		cfg.Path = path
		if _, err := childproc.Start(cfg); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	cfg := shell(filepath.Join(plain, "log"), "")
	if _, err := childproc.Start(cfg); err == nil {
		t.Error("a log that cannot be opened")
	}
}

func TestPort(t *testing.T) {
	t.Parallel()
	port, err := childproc.Port(t.Context(), 0)
	if err != nil || port == 0 {
		t.Fatal(port, err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = childproc.Port(t.Context(), l.Addr().(*net.TCPAddr).Port)
	if !errors.Is(err, childproc.ErrPortTaken) {
		t.Errorf("a port in use: %v", err)
	}
}
