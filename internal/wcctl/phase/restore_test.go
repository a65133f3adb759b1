package phase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/backup"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

const control = "demo-control-plane"

// put is place.sh on a machine of this world: it notes what it was told, and that it is done.
func (w *world) put(host, command string, stdin io.Reader) (string, error) {
	data, err := io.ReadAll(stdin)
	if err != nil {
		return "", err
	}
	first, _, _ := strings.Cut(command, "\n")
	w.placed = append(w.placed, fmt.Sprintf("%s: %s <%s", host, first, data))
	id := strings.Fields(first)[2]
	lib := filepath.Join(w.dir, host, "lib")
	return "/var/lib/etcd/replaced-" + id + "\n", errors.Join(os.MkdirAll(lib, 0o700),
		os.WriteFile(filepath.Join(lib, "restored"), []byte(id+"\n"), 0o600),
		os.WriteFile(filepath.Join(lib, "cluster.json"), []byte(`{"metadata.name":"demo"}`+"\n"), 0o600))
}

// wipe makes the control plane a new machine, as Terraform does when somebody deleted it.
func (w *world) wipe() {
	w.t.Helper()
	if err := os.RemoveAll(filepath.Join(w.dir, control)); err != nil {
		w.t.Fatal(err)
	}
	w.changes = []terraform.Change{
		{Address: `terraform_data.slot["` + control + `"]`, Action: terraform.Replace},
	}
	w.down[control] = errors.New("no answer")
	w.units = map[string]string{}
	for _, m := range w.machines()[1:] {
		w.units[m.Name+"/kubelet"], w.units[m.Name+"/containerd"] = "active", "active"
	}
	w.joined("the-authority")
}

// joined notes on the workers whose cluster they are in.
func (w *world) joined(authority string) {
	for _, m := range w.machines()[1:] {
		if err := os.WriteFile(filepath.Join(w.dir, m.Name, "lib", "joined"), []byte(authority), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) backup() backup.Backup {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "the-backup")
	if err := os.WriteFile(path, []byte("archive"), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.vars.Values["wc_images"] = map[string]any{"control_plane": []any{"k/pause:1", "k/etcd:3.6.8-0"}}
	return backup.Backup{File: path, Manifest: backup.Manifest{
		Cluster: "demo", Files: map[string]backup.File{"etc/kubernetes/pki/ca.crt": {SHA256: "the-authority"}},
	}}
}

// restoring is a new process of `wcctl backup restore`.
func (w *world) restoring(b backup.Backup, id string, force bool) *Runner {
	runner := w.runner()
	runner.Run.Restores = true
	runner.Phases = Restore(b, id, force)
	return runner
}

func TestUpMakesNoNewClusterForWorkersOfOne(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.wipe()
	_, err := w.runner().Plan(t.Context())
	var failed *Error
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "the control plane is gone") ||
		!strings.Contains(err.Error(), "demo-worker-1, demo-worker-2 are still in its cluster") ||
		!strings.HasPrefix(failed.Hint, "wcctl backup list\n") {
		t.Errorf("%v, %+v", err, failed)
	}
	if w.applied > 0 {
		t.Error("Terraform ran")
	}
}

func TestUpMakesNoNewClusterOnAnEmptiedMachine(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	if err := os.RemoveAll(filepath.Join(w.dir, control)); err != nil {
		t.Fatal(err)
	}
	if err := w.up(); err == nil || !strings.Contains(err.Error(), "the control plane is gone") {
		t.Errorf("up says %v", err)
	}
	if slices.ContainsFunc(w.played, func(s string) bool { return strings.HasPrefix(s, controlPlaneName) }) {
		t.Errorf("it played %q", w.played)
	}
}

func TestARestoreComesBeforeTheControlPlaneStarts(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.wipe()
	b := w.backup()
	runner := w.restoring(b, "first", false)
	if _, err := runner.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.play = func(_ context.Context, p Playing, _ string) (bool, error) {
		early := slices.Contains([]string{hostName, containerdName, packagesName}, p.Phase)
		if placed := len(w.placed) == 1; placed == early {
			t.Errorf("%s was played with %d backups in place", p.Phase, len(w.placed))
		}
		return true, nil
	}
	delete(w.down, control)
	if _, err := runner.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := control + ": set -- first " + control + " 10.0.0.11 k/etcd:3.6.8-0 demo <archive"
	if !slices.Equal(w.placed, []string{want}) {
		t.Errorf("placed %q", w.placed)
	}
	if !slices.Contains(w.played, controlPlaneName+" "+control) ||
		slices.Contains(w.played, workersName+" demo-worker-1") {
		t.Errorf("played %q", w.played)
	}
}

func TestAnInterruptedRestoreGoesOnAndANewOneBeginsAgain(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.wipe()
	delete(w.down, control)
	b := w.backup()
	stop := errors.New("power cut")
	w.play = func(_ context.Context, p Playing, _ string) (bool, error) {
		if p.Phase == controlPlaneName {
			return false, stop
		}
		return true, nil
	}
	if _, err := w.restoring(b, "first", false).Up(t.Context()); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	w.play = nil
	if _, err := w.restoring(b, "first", false).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.placed) != 1 {
		t.Errorf("going on put it in place again: %q", w.placed)
	}
	if _, err := w.restoring(b, "second", false).Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(w.placed) != 2 {
		t.Errorf("another restore of the same file: %q", w.placed)
	}
}

func TestABackupOfAnotherClusterOfTheNameIsRefused(t *testing.T) {
	t.Parallel()
	w := newFinishedWorld(t)
	w.wipe()
	w.joined("somebody-else")
	b := w.backup()
	_, err := w.restoring(b, "first", false).Plan(t.Context())
	if err == nil || !strings.Contains(err.Error(), "it has joined another cluster of the name demo") {
		t.Errorf("%v", err)
	}
	if _, err := w.restoring(b, "first", true).Plan(t.Context()); err != nil {
		t.Errorf("with force: %v", err)
	}
}

func TestABackupMustFitTheFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.cluster.Spec.Kubernetes.Version = "1.36.3"
	b := backup.Backup{Manifest: backup.Manifest{
		Cluster: "demo", Release: "1.36.3", Settings: map[string]string{"metadata.name": "demo"},
	}}
	if why := Mismatch(w.cluster, b); why != "" {
		t.Errorf("it fits: %s", why)
	}
	for want, change := range map[string]func(b *backup.Backup){
		`of the cluster "prod"`:     func(b *backup.Backup) { b.Cluster = "prod" },
		"of Kubernetes 1.37.2":      func(b *backup.Backup) { b.Release = "1.37.2" },
		"spec.kubernetes.podSubnet": func(b *backup.Backup) { b.Settings["spec.kubernetes.podSubnet"] = "10.1.0.0/16" },
	} {
		other := b
		other.Settings = map[string]string{}
		change(&other)
		if why := Mismatch(w.cluster, other); !strings.Contains(why, want) {
			t.Errorf("%q, want %s", why, want)
		}
	}
}
