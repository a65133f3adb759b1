package bundle_test

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

const helloRef = "registry.example/hello:v1.0.0"

// bench is a recipe of one tiny program, its image, its archive and two packages.
type bench struct {
	options bundle.Options
	mu      sync.Mutex
	events  []event.Event
}

func setup(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{}
	b.options = bundle.Options{
		Recipe: bundle.Recipe{
			Kubernetes: "1.36.3", Architecture: runtime.GOARCH,
			Components: []bundle.Component{{
				Name: "hello", Version: "1.0.0",
				Build: &bundle.Build{
					Programs:  map[string]string{"hello": "."},
					Variables: map[string]string{"main.version": "1.0.0"},
				},
				Files: []bundle.File{
					{Name: "hello", URL: "https://example.test/hello", Program: "hello"},
					{
						Name: "archive", URL: "https://example.test/hello-1.0.0.tar.gz",
						Archive: map[string]string{"hello": "bin/hello"},
					},
				},
				Images: []bundle.Image{{
					Ref: helloRef, Entrypoint: []string{"/hello"},
					Programs: map[string]string{"hello": "/hello"},
				}},
			}},
		},
		Source: filepath.Join(dir, "source"), Output: filepath.Join(dir, "out", "bundle"),
		Cache: filepath.Join(dir, "cache"), Parallel: 2,
		Sink: event.SinkFunc(func(e event.Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		}),
	}
	write(t, filepath.Join(b.options.Source, "hello", "go.mod"), "module example.test/hello\n\ngo 1.26.0\n")
	write(t, filepath.Join(b.options.Source, "hello", "main.go"), `package main

var version = "none"

func main() { println("hello", version) }
`)
	return b
}

// withPackages adds two packages of a repository that is made here, one of which needs the other.
func (b *bench) withPackages(t *testing.T) {
	t.Helper()
	for _, program := range []string{"apt-get", "dpkg-deb"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed here", program)
		}
	}
	repository := t.TempDir()
	makePackage(t, repository, "tool", "1:2.0-1", "Depends: tool-data (>= 1)\n",
		map[string]string{"usr/bin/tool": "#!/bin/sh\n"})
	makePackage(t, repository, "tool-data", "1.0", "", map[string]string{"usr/share/tool/data": "data"})
	makePackage(t, repository, "other", "1.0", "", map[string]string{"usr/share/other": "other"})
	if err := bundle.WriteIndex(t.Context(), repository); err != nil {
		t.Fatal(err)
	}
	b.options.Recipe.Packages = bundle.Packages{
		Distribution: "test-1", Sources: []string{"copy:" + repository + " ./"},
		Install: []string{"tool"},
	}
}

func makePackage(t *testing.T, dir, name, version, fields string, files map[string]string) {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		write(t, filepath.Join(root, path), text)
	}
	write(t, filepath.Join(root, "DEBIAN", "control"), "Package: "+name+"\nVersion: "+version+
		"\nArchitecture: all\nMaintainer: Test <test@example.test>\n"+fields+"Description: a test\n")
	upstream := version[strings.Index(version, ":")+1:]
	run(t, "dpkg-deb", "--root-owner-group", "--build", root,
		filepath.Join(dir, name+"_"+upstream+"_all.deb"))
}

func (b *bench) create(t *testing.T) *bundle.Bundle {
	t.Helper()
	made, err := bundle.Create(t.Context(), b.options)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// built returns the tasks that were not taken from the cache since the last call.
func (b *bench) built() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var tasks []string
	for _, e := range b.events {
		if e.Kind == event.TaskFinished && e.Changed {
			tasks = append(tasks, e.Task)
		}
	}
	b.events = nil
	slices.Sort(tasks)
	return tasks
}

func TestASecondRunTakesAllFromTheCache(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.withPackages(t)
	b.create(t)
	want := []string{
		"building hello 1.0.0", "downloading packages for test-1",
		"making the image " + helloRef, "packing hello-1.0.0.tar.gz",
	}
	if got := b.built(); !slices.Equal(got, want) {
		t.Errorf("the first run made %q, want %q", got, want)
	}
	made := b.create(t)
	if got := b.built(); len(got) != 0 {
		t.Errorf("the second run made %q again", got)
	}
	if err := made.Verify(t.Context()); err != nil {
		t.Error(err)
	}

	write(t, filepath.Join(b.options.Source, "hello", "main.go"), "package main\n\nfunc main() {}\n")
	b.create(t)
	if got := b.built(); len(got) != 3 {
		t.Errorf("with another source the run made %q, want all but the packages", got)
	}
	b.options.Refresh = true
	b.create(t)
	if got := b.built(); !slices.Equal(got, want[1:2]) {
		t.Errorf("a refresh made %q, want %q", got, want[1:2])
	}
}

func TestEqualInputsMakeEqualBundles(t *testing.T) {
	t.Parallel()
	locks := make([][]byte, 2)
	for i := range locks {
		b := setup(t)
		made := b.create(t)
		raw, err := os.ReadFile(filepath.Join(made.Dir(), bundle.LockName))
		if err != nil {
			t.Fatal(err)
		}
		locks[i] = raw
	}
	if !bytes.Equal(locks[0], locks[1]) {
		t.Errorf("the locks differ:\n%s\n%s", locks[0], locks[1])
	}
}

func TestProgramsKnowTheirVersion(t *testing.T) {
	t.Parallel()
	made := setup(t).create(t)
	out, err := exec.CommandContext(t.Context(), made.Path("hello")).CombinedOutput()
	if err != nil || string(out) != "hello 1.0.0\n" {
		t.Errorf("the program said %q, %v", out, err)
	}
	if listed := run(t, "tar", "-tzf", made.Path("hello-1.0.0.tar.gz")); listed != "bin/\nbin/hello\n" {
		t.Errorf("the archive holds %q", listed)
	}
}

func TestTheOtherArchitecture(t *testing.T) {
	t.Parallel()
	b := setup(t)
	machine := elf.EM_AARCH64
	if b.options.Recipe.Architecture = "arm64"; runtime.GOARCH == "arm64" {
		b.options.Recipe.Architecture, machine = "amd64", elf.EM_X86_64
	}
	program, err := elf.Open(b.create(t).Path("hello"))
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	if program.Machine != machine {
		t.Errorf("the program is for %s", program.Machine)
	}
}

func TestAnInterruptedRunGoesOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	record := b.options.Sink
	b.options.Sink = event.SinkFunc(func(e event.Event) {
		record.Emit(e)
		if e.Kind == event.TaskFinished {
			cancel()
		}
	})
	if _, err := bundle.Create(ctx, b.options); !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted run ended with %v", err)
	}
	if _, err := os.Stat(b.options.Output); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an interrupted run left a bundle: %v", err)
	}
	done := b.built()
	b.options.Sink = record
	b.create(t)
	for _, task := range b.built() {
		if slices.Contains(done, task) {
			t.Errorf("%q was made twice", task)
		}
	}
	left, err := filepath.Glob(filepath.Join(b.options.Cache, ".*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left in the cache: %q, %v", left, err)
	}
}

func TestTwoRunsAtOnceShareTheirWork(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var runs errgroup.Group
	for range 2 {
		runs.Go(func() error {
			_, err := bundle.Create(t.Context(), b.options)
			return err
		})
	}
	if err := runs.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := b.built(); len(slices.Compact(slices.Clone(got))) != len(got) {
		t.Errorf("some was made twice: %q", got)
	}
	if err := open(t, b.options.Output).Verify(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestADamagedCacheIsMadeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.create(t).Lock()
	for _, pattern := range []string{"go-hello-*/out/hello", "archive-*/out/*.gz"} {
		files, err := filepath.Glob(filepath.Join(b.options.Cache, pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s matches %q, %v", pattern, files, err)
		}
		damage(t, files[0])
	}
	b.built()
	made := b.create(t)
	if err := made.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	if !slices.Equal(before.Files, made.Lock().Files) {
		t.Error("the bundle is not the one before")
	}
	if got := b.built(); !slices.Contains(got, "building hello 1.0.0") {
		t.Errorf("made again: %q", got)
	}
}

func TestOnlyABundleIsReplaced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := filepath.Join(b.options.Output, "letters.txt")
	write(t, other, "dear all")
	if _, err := bundle.Create(t.Context(), b.options); !errors.Is(err, bundle.ErrOccupied) {
		t.Errorf("a folder of somebody else's: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

func TestExtraFiles(t *testing.T) {
	t.Parallel()
	b := setup(t)
	image := filepath.Join(t.TempDir(), "machine.tar")
	write(t, image, "a root file system")
	b.options.Extra = map[string]string{"machine.tar": image}
	made := b.create(t)
	if d, ok := made.File("machine.tar"); !ok || d.Size != 18 {
		t.Errorf("the lock says %+v, %v", d, ok)
	}
	for _, name := range []string{"../machine.tar", ".hidden", "a/b"} {
		b.options.Extra = map[string]string{name: image}
		if _, err := bundle.Create(t.Context(), b.options); err == nil {
			t.Errorf("a file named %q was taken", name)
		}
	}
}

func TestAFailedBuildNamesItsCause(t *testing.T) {
	t.Parallel()
	b := setup(t)
	write(t, filepath.Join(b.options.Source, "hello", "main.go"), "package main\n\nfunc main() { undefined() }\n")
	_, err := bundle.Create(t.Context(), b.options)
	var failed *proc.Error
	if !errors.As(err, &failed) {
		t.Fatalf("the error is %v", err)
	}
	for _, want := range []string{"building hello 1.0.0", "go build", "undefined: undefined"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not hold %q", err, want)
		}
	}
}

func TestOpenRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := bundle.Open(dir); !errors.Is(err, bundle.ErrNotBundle) {
		t.Errorf("an empty folder: %v", err)
	}
	for _, lock := range []string{`{"format": 2}`, `{"format": 1, "color": "red"}`, `{`} {
		write(t, filepath.Join(dir, bundle.LockName), lock)
		if _, err := bundle.Open(dir); err == nil || errors.Is(err, bundle.ErrNotBundle) {
			t.Errorf("the lock %s: %v", lock, err)
		}
	}
}

func open(t *testing.T, dir string) *bundle.Bundle {
	t.Helper()
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// damage changes a byte and keeps the size.
func damage(t *testing.T, path string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)/2] ^= 0xff
	write(t, path, string(raw))
}

func edit(t *testing.T, path, old, text string) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(raw), old, text, 1))
}

func remove(t *testing.T, b *bundle.Bundle, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(b.Dir(), filepath.FromSlash(name))); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}
