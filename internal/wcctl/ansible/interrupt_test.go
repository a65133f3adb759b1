//go:build linux

package ansible_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

const sleeping = `
- name: Sleep
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Sleep
      ansible.builtin.pause:
        minutes: 10
      when: false
    - name: Wait for nobody
      ansible.builtin.wait_for:
        path: "%s/never"
        timeout: 600
`

func TestInterruptLeavesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, sleeping)
	ctx, cancel := context.WithCancel(t.Context())
	b.watch = func(e event.Event) {
		if e.Kind == event.TaskStarted && e.Task == "Wait for nobody" {
			cancel()
		}
	}
	began := time.Now()
	result, err := b.play(ctx)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for name, h := range result {
		if h.Complete {
			t.Errorf("%s is said to be complete", name)
		}
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	waitForEnd(t, b.dir)
}

func TestKilledRunEndsItsPlay(t *testing.T) {
	t.Parallel()
	needAnsible(t)
	dir := t.TempDir()
	writePlaybook(t, dir, sleeping)
	wcctl := exec.Command(os.Args[0])
	wcctl.Env = append(os.Environ(), orphanVariable+"="+dir)
	out, err := wcctl.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := wcctl.Start(); err != nil {
		t.Fatal(err)
	}
	started := false
	for in := bufio.NewScanner(out); in.Scan(); {
		if in.Text() == string(event.TaskStarted) {
			started = true
			break
		}
	}
	if !started || len(playing(t, dir)) == 0 {
		t.Error("the play did not begin")
	}
	if err := wcctl.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = wcctl.Wait()
	waitForEnd(t, dir)
}

// waitForEnd fails where ansible-playbook or one of its forks goes on.
func waitForEnd(t *testing.T, dir string) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; <-tick.C {
		left := playing(t, dir)
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("these go on: %q", left)
		}
	}
}

// playing are the command lines of the processes that were started with the folder's inventory.
func playing(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, path := range paths {
		data, err := os.ReadFile(path)
		line := strings.ReplaceAll(string(data), "\x00", " ")
		if err == nil && strings.Contains(line, dir+"/inventory.yaml") {
			list = append(list, line)
		}
	}
	return list
}
