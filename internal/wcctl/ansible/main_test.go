package ansible_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/ansible"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// orphanVariable makes this test program a wcctl that plays until it is killed.
const orphanVariable = "ANSIBLE_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if dir := os.Getenv(orphanVariable); dir != "" {
		playUntilKilled(dir)
		return
	}
	os.Exit(m.Run())
}

func playUntilKilled(dir string) {
	r, err := ansible.New(ansible.Options{
		Dir: dir, Sink: event.SinkFunc(func(e event.Event) { fmt.Println(e.Kind) }),
	})
	if err == nil {
		_, err = r.Play(context.Background(), ansible.Play{Phase: "play", Fleet: machines(1)})
	}
	fmt.Println(err)
}

// infra is the folder of the playbooks, roles and plugins.
func infra(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../../infra/ansible")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func needAnsible(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ansible-playbook"); err != nil {
		t.Skip("ansible-playbook is not installed: apt-get install ansible-core")
	}
}

// bench is a folder with one playbook, played on this computer under the machines' names.
type bench struct {
	*testing.T
	dir    string
	runner *ansible.Runner
	log    lockedBuffer

	mu     sync.Mutex
	events []event.Event
	// watch sees each event as it comes.
	watch func(event.Event)
}

// setup writes a playbook; %s in it is its folder.
func setup(t *testing.T, playbook string) *bench {
	t.Helper()
	needAnsible(t)
	b := &bench{T: t, dir: t.TempDir(), watch: func(event.Event) {}}
	writePlaybook(t, b.dir, playbook)
	runner, err := ansible.New(ansible.Options{
		Dir: b.dir, KnownHosts: filepath.Join(b.dir, "known_hosts"), Log: &b.log,
		Sink: event.SinkFunc(func(e event.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
			b.watch(e)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := runner.Close(); err != nil {
			t.Error(err)
		}
	})
	b.runner = runner
	return b
}

func writePlaybook(t *testing.T, dir, playbook string) {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(infra(t), "ansible.cfg"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(config), "= callback_plugins", "= "+infra(t)+"/callback_plugins")
	for name, data := range map[string]string{
		"ansible.cfg": text, "play.yml": strings.ReplaceAll(playbook, "%s", dir), "known_hosts": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) play(ctx context.Context, hosts ...string) (ansible.Result, error) {
	b.Helper()
	b.events = nil
	result, err := b.runner.Play(ctx, ansible.Play{
		Phase: "play", Fleet: machines(2), Hosts: hosts, Vars: map[string]any{"secret": "hunter2"},
	})
	if b.Failed() {
		b.Log(b.log.String())
	}
	return result, err
}

// machines are a control plane and workers at an address that nobody listens on.
func machines(workers int) fleet.Fleet {
	list := fleet.Fleet{{
		Name: "demo-control-plane", Role: fleet.ControlPlane, Address: "10.77.0.11",
		SSH: fleet.SSH{Host: "127.0.0.1", Port: 1, User: "root"},
	}}
	for i := range workers {
		list = append(list, fleet.Machine{
			Name: fmt.Sprintf("demo-worker-%d", i+1), Role: fleet.Worker, Edge: i == 0,
			Address: fmt.Sprintf("10.77.0.%d", 12+i),
			SSH:     fleet.SSH{Host: "127.0.0.1", Port: 1, User: "root"},
		})
	}
	return list
}

type lockedBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
