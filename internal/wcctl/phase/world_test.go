package phase

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/fleet"
	"github.com/wastecoach/wastecoach/internal/wcctl/kube"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// world is three machines that are folders: our scripts run in them with the real shell; Terraform,
// Ansible and the API are played.
type world struct {
	t       *testing.T
	dir     string
	cluster *spec.Cluster
	folder  workspace.Folder
	ansible fstest.MapFS
	vars    Vars

	mu      sync.Mutex
	made    bool
	changes []terraform.Change
	applied int
	played  []string
	// play lets a test break a play.
	play func(ctx context.Context, p Playing, host string) (ok bool, err error)
	down map[string]error
	// off are machines that can be switched on.
	off   []string
	units map[string]string
	nodes []string
	// unlabeled are the nodes that have none of their labels.
	unlabeled map[string]bool
	absent    []Object
	unmet     []kube.Condition
	events    []event.Event
	// placed are the backups that were put in place.
	placed []string
	// forgotten are the machines whose host key was dropped.
	forgotten []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), t: t}
	w.begin()
	if err := w.folder.Create(); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) begin() {
	w.ansible, w.down, w.units = fstest.MapFS{}, map[string]error{}, map[string]string{}
	w.unlabeled = map[string]bool{}
	w.folder = workspace.Folder(filepath.Join(w.dir, "state"))
	w.vars = Vars{
		Values: map[string]any{"wc_version": "1.36.3", "wc_manifest": "/nowhere", "wc_secret": "new each time"},
		Texts:  map[string]string{"wc_manifest": "kind: DaemonSet"},
	}
	w.cluster = &spec.Cluster{
		Metadata: spec.Metadata{Name: "demo"},
		Spec: spec.Spec{
			Target: spec.Local, Local: &spec.LocalTarget{Workers: 2},
			Kubernetes: spec.Kubernetes{Endpoint: "api.demo.internal", Version: "1.36.3"},
			Network:    spec.Network{Plugin: spec.Flannel},
		},
	}
	w.changes = []terraform.Change{{Address: "terraform_data.lab", Action: terraform.Create}}
	for _, p := range List() {
		if step, ok := p.(play); ok {
			w.ansible[step.name+".yml"] = &fstest.MapFile{Data: []byte("- play")}
			w.ansible["roles/"+step.role+"/tasks/main.yml"] = &fstest.MapFile{Data: []byte("- one")}
			w.ansible["roles/"+step.role+"/meta/argument_specs.yml"] = &fstest.MapFile{
				Data: []byte("argument_specs: {main: {options: {wc_version: {}, wc_address: {}, wc_manifest: {}}}}"),
			}
		}
	}
}

// finished is a folder as an up leaves it: many tests begin there.
var finished = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wcctl-phase-")
	if err != nil {
		return "", err
	}
	w := &world{dir: dir}
	w.begin()
	if err := w.folder.Create(); err != nil {
		return dir, err
	}
	runner, end, err := w.newRunner()
	if err != nil {
		return dir, err
	}
	defer end()
	_, err = runner.Up(context.Background())
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := finished(); dir != "" {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// newFinishedWorld is a copy of the world after an up.
func newFinishedWorld(t *testing.T) *world {
	t.Helper()
	from, err := finished()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(w.dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	// The records name the files by their paths.
	for _, kind := range []string{"sha256", "stat"} {
		paths, err := filepath.Glob(filepath.Join(w.dir, "*", "lib", "phases", "*."+kind))
		if err != nil || len(paths) == 0 {
			t.Fatal(paths, err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			data = bytes.ReplaceAll(data, []byte(from), []byte(w.dir))
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.made, w.changes = true, nil
	for _, m := range w.machines() {
		w.nodes = append(w.nodes, m.Name)
		w.units[m.Name+"/kubelet"], w.units[m.Name+"/containerd"] = "active", "active"
	}
	return w
}

func (w *world) machines() fleet.Fleet {
	f := expected(w.cluster)
	for i := range f {
		f[i].Address = fmt.Sprintf("10.0.0.%d", 11+i)
		f[i].SSH = fleet.SSH{Host: "127.0.0.1", Port: 2200 + i, User: "root"}
	}
	f[0].APIAddress = "127.0.0.1:16443"
	return f
}

// runner is a new process of wcctl.
func (w *world) runner() *Runner {
	runner, end, err := w.newRunner()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(end)
	return runner
}

func (w *world) newRunner() (runner *Runner, end func(), err error) {
	run := &Run{
		ID: "r1", Cluster: w.cluster, Folder: w.folder, Terraform: w, Ansible: w.ansible,
		Sink: event.SinkFunc(w.emit), Dial: w.dial, Play: w.doPlay, Check: w.check,
		Forget: func(m fleet.Machine) error {
			w.forgotten = append(w.forgotten, m.Name)
			return nil
		},
		Connect: w.connect, Parallel: 3, Patience: time.Second,
		Vars:  func(fleet.Fleet) (Vars, error) { return w.vars, nil },
		Power: fakePower{w},
	}
	journal, err := w.folder.OpenJournal("r1", "up")
	if err != nil {
		return nil, nil, err
	}
	end = func() {
		run.Close()
		_ = journal.Close()
	}
	return &Runner{Run: run, Phases: List(), Journal: journal, Log: "the.log"}, end, nil
}

func (w *world) up() error {
	_, err := w.runner().Up(w.t.Context())
	return err
}

func (w *world) mustUp() {
	w.t.Helper()
	if err := w.up(); err != nil {
		w.t.Fatal(err)
	}
	w.played = nil
}

// plan lists what is pending as "phase host: why".
func (w *world) plan() []string {
	w.t.Helper()
	plan, err := w.runner().Plan(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	list := []string{}
	for _, p := range plan.Phases {
		for _, c := range p.Changes {
			list = append(list, strings.TrimSpace(c.Phase+" "+c.Host)+": "+c.Why)
		}
	}
	return list
}

func (w *world) emit(e event.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// Plan, Apply and Machines are Terraform.
func (w *world) Plan(context.Context, event.Sink) ([]terraform.Change, error) {
	return slices.Clone(w.changes), nil
}

func (w *world) Apply(context.Context, event.Sink) error {
	w.made, w.changes = true, nil
	w.applied++
	return nil
}

func (w *world) Machines(context.Context) (fleet.Fleet, error) {
	if !w.made {
		return nil, &terraform.Error{Act: "reading the machines", Cause: terraform.ErrNoMachines}
	}
	return w.machines(), nil
}

func (w *world) PlanDestroy(context.Context, event.Sink) ([]terraform.Change, error) {
	if !w.made {
		return nil, nil
	}
	return []terraform.Change{{Address: "terraform_data.lab", Action: terraform.Delete}}, nil
}

func (w *world) Destroy(context.Context, event.Sink) error {
	w.made = false
	return nil
}

func (w *world) check(context.Context, fleet.Fleet, map[string]Shell) ([]Finding, error) {
	return []Finding{{Host: "demo-worker-1", Text: "only 1 CPU"}}, nil
}

// doPlay touches a file of the phase on each machine.
func (w *world) doPlay(ctx context.Context, p Playing) (map[string]Played, error) {
	result := map[string]Played{}
	var failed error
	for _, name := range p.Hosts {
		w.mu.Lock()
		w.played = append(w.played, p.Phase+" "+name)
		w.mu.Unlock()
		if w.play != nil {
			if ok, err := w.play(ctx, p, name); !ok {
				failed = err
				continue
			}
		}
		file := w.file(name, p.Phase)
		if err := os.WriteFile(file, []byte("by "+p.Phase), 0o600); err != nil {
			return nil, err
		}
		result[name] = Played{OK: true, Changed: 1, Files: []string{file, filepath.Dir(file), "/absent"}}
		if p.Phase == controlPlaneName {
			w.writeAdmin("first")
		}
		if p.Phase == fetchName {
			w.fetch(name)
		}
		if p.Phase == labelsName {
			clear(w.unlabeled)
		}
		if p.Phase == controlPlaneName || p.Phase == workersName {
			if err := w.join(name); err != nil {
				return nil, err
			}
		}
		if p.Phase == containerdName {
			w.units[name+"/containerd"] = "active"
		}
	}
	return result, failed
}

// join leaves a machine that has joined alone, as the roles do.
func (w *world) join(name string) error {
	conf := filepath.Join(w.dir, name, "kubelet.conf")
	if _, err := os.Stat(conf); err == nil {
		return nil
	}
	w.startKubelet(name)
	return os.WriteFile(conf, nil, 0o600)
}

func (w *world) startKubelet(name string) {
	w.units[name+"/kubelet"] = "active"
	if !slices.Contains(w.nodes, name) {
		w.nodes = append(w.nodes, name)
		w.unlabeled[name] = true
	}
}

func (w *world) file(host, phase string) string {
	dir := filepath.Join(w.dir, host)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		w.t.Fatal(err)
	}
	return filepath.Join(dir, phase+".conf")
}

func (w *world) writeAdmin(mark string) {
	encode := func(part string) string { return base64.StdEncoding.EncodeToString([]byte(part + mark)) }
	text := fmt.Sprintf(`apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: %s
    server: https://api.demo.internal:6443
  name: kubernetes
contexts:
- context: {cluster: kubernetes, user: kubernetes-admin}
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
users:
- name: kubernetes-admin
  user:
    client-certificate-data: %s
    client-key-data: %s
`, encode("authority"), encode("certificate"), encode("key"))
	if err := os.WriteFile(filepath.Join(w.dir, "demo-control-plane", "admin.conf"), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) dial(_ context.Context, m fleet.Machine, _ time.Duration) (Shell, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.down[m.Name]; err != nil {
		return nil, err
	}
	return &fakeShell{world: w, host: m.Name, done: make(chan struct{})}, nil
}

// connect is the API; there is none without a kubeconfig.
func (w *world) connect(path string) (Kube, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	return w.api(), nil
}

func (w *world) api() Kube { return fakeKube{w} }

type fakeKube struct{ w *world }

func (k fakeKube) Nodes(context.Context) ([]Node, error) {
	nodes := make([]Node, len(k.w.nodes))
	for i, name := range k.w.nodes {
		nodes[i].Name, nodes[i].Labels = name, map[string]string{}
		if m, found := k.w.machines().Find(name); found && !k.w.unlabeled[name] {
			for _, label := range nodeLabels(m) {
				nodes[i].Labels[label] = ""
			}
		}
	}
	return nodes, nil
}

func (k fakeKube) Has(_ context.Context, o Object) (bool, error) {
	return !slices.Contains(k.w.absent, o), nil
}

func (k fakeKube) Conditions(context.Context, fleet.Fleet) []kube.Condition {
	if len(k.w.unmet) == 0 {
		return []kube.Condition{{Name: "nodes-ready", State: kube.OK}}
	}
	first := k.w.unmet[0]
	k.w.unmet = k.w.unmet[1:]
	return []kube.Condition{first}
}

func (k fakeKube) Wait(
	ctx context.Context, machines fleet.Fleet, _ event.Sink,
) ([]kube.Condition, error) {
	for ctx.Err() == nil {
		found := k.Conditions(ctx, machines)
		if len(kube.Worst(found)) == 0 {
			return found, nil
		}
	}
	return nil, &kube.NotMetError{Cause: ctx.Err()}
}

type fakePower struct{ w *world }

func (p fakePower) Off() ([]string, error) { return p.w.off, nil }

func (p fakePower) Start(name string) error {
	p.w.off = slices.DeleteFunc(p.w.off, func(n string) bool { return n == name })
	return nil
}

// fakeShell runs commands in the machine's folder.
type fakeShell struct {
	world *world
	host  string
	done  chan struct{}
	once  sync.Once
}

func (s *fakeShell) Output(ctx context.Context, command string, stdin io.Reader) (string, error) {
	root := filepath.Join(s.world.dir, s.host)
	if command == restartKubelet {
		if _, err := os.Stat(filepath.Join(root, "kubelet.conf")); err == nil {
			s.world.mu.Lock()
			defer s.world.mu.Unlock()
			s.world.startKubelet(s.host)
		}
		return "", nil
	}
	if strings.HasSuffix(command, placeScript) {
		return s.world.put(s.host, command, stdin)
	}
	bin := filepath.Join(root, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return "", err
	}
	s.world.mu.Lock()
	units := "#!/bin/sh\n"
	for _, unit := range []string{"containerd", "kubelet"} {
		units += "echo " + cmp.Or(s.world.units[s.host+"/"+unit], "inactive") + "\n"
	}
	s.world.mu.Unlock()
	if err := writeProgram(filepath.Join(bin, "systemctl"), units); err != nil {
		return "", err
	}
	command = strings.NewReplacer("/var/lib/wastecoach", root+"/lib",
		"/etc/kubernetes/admin.conf", root+"/admin.conf", "/run/lock/wastecoach", root+"/lock",
		"/var/log/wastecoach", root+"/log", "/usr/local/bin", bin, "/var/cache/wastecoach-", root+"/cache-",
		"--owner root --group root ", "").Replace(command)
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	cmd.Stdin = stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), nil
}

// writeProgram leaves one that is the same alone: the kernel refuses to run what is being written.
func writeProgram(path, text string) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == text {
		return nil
	}
	if err := os.WriteFile(path+".new", []byte(text), 0o700); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (s *fakeShell) Listen(string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

func (s *fakeShell) Done() <-chan struct{} { return s.done }

func (s *fakeShell) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}
