//go:build e2e

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/wastecoach/wastecoach/internal/wcctl/localmachine"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

const (
	// subnet is one that no other cluster on this computer is made with by default.
	subnet = "10.82.0.0/24"

	upPatience      = 20 * time.Minute
	commandPatience = 5 * time.Minute
	diskGiB         = 10
)

// lab is a folder with one cluster's wastecoach.yaml and state; the cluster ends with the test.
type lab struct {
	t    *testing.T
	name string
	dir  string
	// logs stays after the test; it holds what every command said and wcctl's own logs.
	logs   string
	bundle string
	// byHand tells that the machines are none of `wcctl up`.
	byHand bool
	// logins are those that outlived their wcctl for a while.
	logins []process
	// runs numbers the commands; subtests count on.
	runs *atomic.Int32
}

// newLab writes a configuration. Nothing runs yet.
func newLab(t *testing.T, name string) *lab {
	t.Helper()
	needComputer(t)
	l := &lab{t: t, name: name, bundle: testBundle(t), logs: logsOf(t), runs: &atomic.Int32{}}
	var err error
	if l.dir, err = os.MkdirTemp("", "wastecoach-"+name+"-"); err != nil {
		t.Fatal(err)
	}
	l.endEarlier()
	t.Cleanup(l.end)
	// First, and on its own: whatever it lacks, the machines go.
	t.Cleanup(l.keepEvidence)
	l.wcctl("init", "--target", "local", "--name", name).ok()
	l.configure(func(c *spec.Cluster) {
		c.Spec.Local = &spec.LocalTarget{Workers: 2, Subnet: subnet, DiskGiB: diskGiB}
	})
	return l
}

// endEarlier removes the machines of a test run that was itself killed and so could not.
func (l *lab) endEarlier() {
	l.t.Helper()
	data, err := os.ReadFile("/run/wastecoach/labs/" + l.name + ".json")
	if err != nil {
		return
	}
	var earlier struct{ Machines string }
	if err := json.Unmarshal(data, &earlier); err != nil {
		l.t.Fatal(err)
	}
	dir := filepath.Dir(filepath.Dir(earlier.Machines))
	if !strings.HasPrefix(filepath.Base(dir), "wastecoach-"+l.name+"-") {
		l.t.Fatalf("somebody's own cluster is named %s: %s", l.name, dir)
	}
	folders, err := os.ReadDir(earlier.Machines)
	if err != nil {
		l.t.Fatalf("an earlier %s cannot be removed: %v", l.name, err)
	}
	for _, folder := range folders {
		if folder.IsDir() {
			l.wcctl("machine", "delete", folder.Name(), "--state-dir", filepath.Dir(earlier.Machines)).ok()
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		l.t.Fatal(err)
	}
}

func needComputer(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("machines on this computer need root")
	}
}

// logsOf is a folder of the test's own in one that all tests share.
func logsOf(t *testing.T) string {
	t.Helper()
	logs := filepath.Join(os.TempDir(), "wastecoach-e2e-logs", fmt.Sprintf("%s-%s",
		time.Now().Format("20060102-150405"), strings.ReplaceAll(t.Name(), "/", "-")))
	if err := os.MkdirAll(logs, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Logf("logs: %s", logs)
	return logs
}

// configure edits wastecoach.yaml.
func (l *lab) configure(edit func(*spec.Cluster)) {
	l.t.Helper()
	path := filepath.Join(l.dir, spec.FileName)
	data, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	var c spec.Cluster
	if err := yaml.Unmarshal(data, &c); err != nil {
		l.t.Fatal(err)
	}
	edit(&c)
	var file map[string]any
	data, err = yaml.Marshal(c)
	if err := errors.Join(err, yaml.Unmarshal(data, &file)); err != nil {
		l.t.Fatal(err)
	}
	// Left out, it would be the default's, and up would bring the system, too.
	file["spec"].(map[string]any)["domain"] = c.Spec.Domain
	if data, err = yaml.Marshal(file); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) state() string { return filepath.Join(l.dir, ".wastecoach") }

// node is the full name of one of the cluster's machines, e.g. of worker-1.
func (l *lab) node(role string) string { return l.name + "-" + role }

// end removes all, whatever state the test left it in.
func (l *lab) end() {
	l.keepLogs()
	if !l.byHand {
		if down := l.wcctlWithin(commandPatience, "down", "--yes"); down.Code != 0 {
			l.t.Errorf("%s: exit code %d\n%s", down.command, down.Code, down.Stderr)
		}
	}
	for _, m := range l.machines() {
		if !l.byHand {
			l.t.Errorf("down left the machine %s", m.Name)
		}
		l.wcctlWithin(commandPatience, "machine", "delete", m.Name)
	}
	l.keepLogs()
	if err := os.RemoveAll(l.dir); err != nil {
		l.t.Error(err)
	}
}

// keepLogs copies wcctl's logs and the machines' consoles out of the state folder.
func (l *lab) keepLogs() {
	for _, pattern := range []string{"logs/*", "machines/*/console.log", "machines/*/supervisor.log"} {
		files, err := filepath.Glob(filepath.Join(l.state(), pattern))
		if err != nil {
			l.t.Error(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				continue // a machine that is being deleted
			}
			name, err := filepath.Rel(l.state(), file)
			if err == nil {
				err = os.WriteFile(filepath.Join(l.logs, strings.ReplaceAll(name, "/", "_")), data, 0o600)
			}
			if err != nil {
				l.t.Error(err)
			}
		}
	}
}

// keepEvidence asks the machines of a failed test what happened, before they go.
func (l *lab) keepEvidence() {
	if !l.t.Failed() {
		return
	}
	for _, m := range l.machines() {
		for name, command := range map[string]string{
			"kubelet": "journalctl --no-pager --unit kubelet | tail -n 3000",
			"units":   "systemctl --no-pager status containerd kubelet; systemctl --failed; df -h /",
			"pods":    "crictl ps -a; ls -la /etc/kubernetes /var/lib/wastecoach/*",
		} {
			r := l.wcctlWithin(time.Minute, "machine", "exec", m.Name, "--", "sh", "-c", command)
			l.write(m.Name+"-"+name+".log", r.Stdout+r.Stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(l.state(), "kubeconfig")); err == nil {
		r := l.tryKubectl("get", "nodes,pods,events", "--all-namespaces", "--output", "wide")
		l.write("kubectl.log", r.Stdout+r.Stderr)
	}
}

func (l *lab) write(name, text string) {
	if err := os.WriteFile(filepath.Join(l.logs, name), []byte(text), 0o600); err != nil {
		l.t.Error(err)
	}
}

// machines are those that exist, by address.
func (l *lab) machines() []localmachine.Machine {
	l.t.Helper()
	r := l.wcctlWithin(time.Minute, "machine", "list", "--output", "json")
	var machines []localmachine.Machine
	if err := json.Unmarshal([]byte(r.Stdout), &machines); err != nil {
		l.t.Errorf("%s: %v\n%s%s", r.command, err, r.Stdout, r.Stderr)
	}
	return machines
}

// on runs a shell command in a machine, past its network.
func (l *lab) on(node, command string) string {
	l.t.Helper()
	return l.wcctl("machine", "exec", node, "--", "sh", "-c", command).ok().Stdout
}

// ended is a program that has run.
type ended struct {
	t              *testing.T
	command        string
	Stdout, Stderr string
	Code           int
	Took           time.Duration
}

func (e ended) ok() ended {
	e.t.Helper()
	return e.code(0)
}

func (e ended) code(want int) ended {
	e.t.Helper()
	if e.Code != want {
		e.t.Fatalf("%s: exit code %d, want %d\n%s%s", e.command, e.Code, want, tail(e.Stdout), tail(e.Stderr))
	}
	return e
}

func (e ended) into(v any) {
	e.t.Helper()
	if err := json.Unmarshal([]byte(e.Stdout), v); err != nil {
		e.t.Fatalf("%s: %v in\n%s", e.command, err, tail(e.Stdout))
	}
}

// tail is what is left of a text that is too long to read.
func tail(text string) string {
	const most = 6000
	return text[max(0, len(text)-most):]
}

// wcctl runs a command in the lab's folder, as a user without a terminal.
func (l *lab) wcctl(args ...string) ended {
	l.t.Helper()
	return l.wcctlWithin(commandPatience, args...)
}

func (l *lab) wcctlWithin(patience time.Duration, args ...string) ended {
	l.t.Helper()
	return l.run(patience, wcctlPath(l.t), args...)
}

func (l *lab) run(patience time.Duration, program string, args ...string) ended {
	l.t.Helper()
	// It must work in a clean-up too, when the test's context has ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.t.Context()), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = l.dir, l.environ()
	// A grandchild may hold the pipes.
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	e := ended{
		t: l.t, command: filepath.Base(program) + " " + strings.Join(args, " "), Took: time.Since(start),
		Stdout: stdout.String(), Stderr: stderr.String(), Code: -1,
	}
	if cmd.ProcessState != nil {
		e.Code = cmd.ProcessState.ExitCode()
	}
	l.record(e)
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Errorf("%s: %v", e.command, err)
	}
	return e
}

// record keeps what a command said; questions that are asked again and again are left out.
func (l *lab) record(e ended) {
	words := strings.Fields(e.command)
	if len(words) > 1 && (words[1] == "machine" || words[0] == "kubectl") && e.Code == 0 {
		return
	}
	name := strings.Join(words[:min(3, len(words))], "-")
	l.write(fmt.Sprintf("%03d-%s.log", l.runs.Add(1), strings.ReplaceAll(name, "/", "_")), fmt.Sprintf(
		"%s\nexit code %d after %s\n\n%s\n%s", e.command, e.Code, e.Took, e.Stdout, e.Stderr))
}

func (l *lab) environ() []string {
	return append(os.Environ(), "HOME="+l.dir, "NO_COLOR=1", "WCCTL_STATE_DIR=", "KUBECONFIG=",
		"SSH_AUTH_SOCK=")
}

func wcctlPath(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", "wcctl"))
	if err != nil {
		t.Fatal(err)
	}
	if own := os.Getenv("WCCTL_E2E_BINARY"); own != "" {
		path = own
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatal("wcctl is not built: run `make build`")
	}
	return path
}

// eventually polls until ok says that it is done; what it says last is the failure.
func eventually(t *testing.T, patience time.Duration, ok func() error) {
	t.Helper()
	const pause = 500 * time.Millisecond
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := ok()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("after %s: %v", patience, err)
		}
		<-tick.C
	}
}
