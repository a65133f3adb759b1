package ansible_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/testprogram"
	"github.com/wastecoach/wastecoach/internal/wcctl/ansible"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

const twoFiles = `
- name: Files
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Write two files
      ansible.builtin.copy:
        content: one
        dest: "%s/{{ inventory_hostname }}-{{ item }}"
        mode: "0600"
      loop: [a, b]
    - name: Say hello
      ansible.builtin.command:
        cmd: echo hello
      changed_when: false
      vars:
        managed_files: [/etc/hello]
    - name: Leave out
      ansible.builtin.command:
        cmd: "false"
      when: false
`

func TestSecondPlayChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, twoFiles)
	first, err := b.play(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := ansible.Host{
		OK: 2, Changed: 1, Complete: true,
		Files: []string{"/etc/hello", b.dir + "/demo-worker-2-a", b.dir + "/demo-worker-2-b"},
	}
	if got := first["demo-worker-2"]; len(first) != 3 || !reflect.DeepEqual(got, want) {
		t.Errorf("played on %d machines, got %+v, want %+v", len(first), got, want)
	}
	if got := b.tasks("demo-worker-1"); !slices.Equal(got, []string{"Write two files changed", "Say hello"}) {
		t.Errorf("events of a machine: %q", got)
	}
	second, err := b.play(t.Context(), "demo-worker-2")
	want.OK, want.Changed = 2, 0
	if got := second["demo-worker-2"]; err != nil || len(second) != 1 || !reflect.DeepEqual(got, want) {
		t.Errorf("played on %d machines, got %+v, %v", len(second), got, err)
	}
}

// tasks are a machine's finished tasks, in order.
func (b *bench) tasks(host string) []string {
	var list []string
	for _, e := range b.events {
		if e.Kind != event.TaskFinished || e.Host != host {
			continue
		}
		text := e.Task
		if e.Changed {
			text += " changed"
		}
		list = append(list, text)
	}
	return list
}

func TestPhaseHasNothingForTheMachine(t *testing.T) {
	t.Parallel()
	b := setup(t, strings.ReplaceAll(twoFiles, "hosts: all", "hosts: control_plane"))
	_, err := b.play(t.Context(), "demo-control-plane", "demo-worker-1")
	if err == nil || !strings.Contains(err.Error(), "nothing for demo-worker-1") {
		t.Errorf("got %v", err)
	}
}

func TestFailedTask(t *testing.T) {
	t.Parallel()
	b := setup(t, `
- name: Fail
  hosts: all
  connection: local
  gather_facts: false
  tasks:
    - name: Count to thirty
      ansible.builtin.shell:
        cmd: for i in $(seq 29); do echo "line $i" >&2; done; echo "the disk is full" >&2; exit 3
      changed_when: false
      when: inventory_hostname is match('.*worker.*')
`)
	result, err := b.play(t.Context())
	var task *ansible.TaskError
	if !errors.As(err, &task) {
		t.Fatalf("got %v", err)
	}
	if task.Host != "demo-worker-1" || task.Task != "Count to thirty" || task.Unreachable ||
		task.Message != "the disk is full" || !slices.Equal(task.Others, []string{"demo-worker-2"}) {
		t.Errorf("got %+v", task)
	}
	if len(task.Output) != 20 || task.Output[0] != "line 11" {
		t.Errorf("the output's end is %q", task.Output)
	}
	if !result["demo-control-plane"].Complete || result["demo-worker-1"].Complete {
		t.Errorf("got %+v", result)
	}
	want := "play: demo-worker-1: Count to thirty: the disk is full (and on demo-worker-2)"
	if err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestRescueWordsTheFailure(t *testing.T) {
	t.Parallel()
	b := setup(t, `
- name: Rescue
  hosts: control_plane
  connection: local
  gather_facts: false
  tasks:
    - name: Outer
      block:
        - name: Break
          ansible.builtin.command: {cmd: "false"}
      rescue:
        - name: Explain
          ansible.builtin.fail: {msg: "false is false, {{ ansible_failed_result.rc }}"}
`)
	_, err := b.play(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "Explain: false is false, 1") {
		t.Errorf("got %v", err)
	}
}

func TestSecretIsNowhere(t *testing.T) {
	t.Parallel()
	b := setup(t, `
- name: Secret
  hosts: control_plane
  connection: local
  gather_facts: false
  tasks:
    - name: Use the secret
      ansible.builtin.command: {cmd: "sh -c 'echo {{ secret }} >&2; exit 1'"}
      no_log: true
`)
	_, err := b.play(t.Context())
	if err == nil {
		t.Fatal("it did not fail")
	}
	all := err.Error() + b.log.String()
	for _, e := range b.events {
		all += e.Text
	}
	if strings.Contains(all, "hunter2") {
		t.Errorf("the secret is in %s", all)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	b := setup(t, strings.ReplaceAll(twoFiles, "connection: local", ""))
	result, err := b.play(t.Context(), "demo-worker-1")
	var task *ansible.TaskError
	if !errors.As(err, &task) || !task.Unreachable || !strings.Contains(task.Message, "refused") {
		t.Errorf("got %#v", err)
	}
	if h := result["demo-worker-1"]; !h.Unreachable || h.Complete {
		t.Errorf("got %+v", h)
	}
}

func TestBrokenPlaybook(t *testing.T) {
	t.Parallel()
	b := setup(t, "- hosts: all\n  tasks: [{no.such.module: {}}]\n")
	_, err := b.play(t.Context())
	var task *ansible.TaskError
	if !errors.As(err, &task) || !strings.Contains(task.Message, "no.such.module") {
		t.Errorf("got %#v", err)
	}
}

func TestPlaybookIsMissing(t *testing.T) {
	t.Parallel()
	b := setup(t, twoFiles)
	_, err := b.runner.Play(t.Context(), ansible.Play{Phase: "other", Fleet: machines(1)})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestProgramIsMissing(t *testing.T) {
	t.Parallel()
	_, err := ansible.New(ansible.Options{Dir: t.TempDir(), Program: "ansible-playbook-of-nobody"})
	var program *ansible.ProgramError
	if !errors.As(err, &program) || program.Hint() != "apt-get install ansible-core" {
		t.Errorf("got %v", err)
	}
}

func TestProgramIsTooOld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writePlaybook(t, dir, twoFiles)
	old := filepath.Join(dir, "ansible-playbook")
	script := "#!/bin/sh\ncase $* in *--version*) echo 'ansible-playbook [core 2.12.10]'; exit;; esac\nexit 4\n"
	testprogram.Write(t, old, script)
	r, err := ansible.New(ansible.Options{Dir: dir, Program: old})
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.Play(t.Context(), ansible.Play{Phase: "play", Fleet: machines(1)})
	var program *ansible.ProgramError
	if !errors.As(err, &program) || !strings.Contains(err.Error(), "is 2.12.10, but 2.14 or newer") {
		t.Errorf("got %v", err)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	b := setup(t, twoFiles)
	found, err := b.runner.Version(context.WithoutCancel(t.Context()))
	if err != nil || !strings.HasPrefix(found, "2.") {
		t.Errorf("got %q, %v", found, err)
	}
}
