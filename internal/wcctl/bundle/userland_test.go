package bundle_test

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

// TestUserland cuts a program of this machine out of a package and looks for what it needs.
func TestUserland(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"apt-get", "dpkg-deb", "ldd"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed here", program)
		}
	}
	files := map[string]string{"usr/share/doc/tool": "not wanted"}
	take := func(name, as string) {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(as, "/")] = string(raw)
	}
	take("/usr/bin/env", "/bin/env")
	for _, library := range regexp.MustCompile(`/\S+\.so\S*`).FindAllString(run(t, "ldd", "/usr/bin/env"), -1) {
		take(library, library)
	}
	repository := t.TempDir()
	makePackage(t, repository, "tool", "1.0", "", files)
	if err := bundle.WriteIndex(t.Context(), repository); err != nil {
		t.Fatal(err)
	}

	b := setup(t)
	b.options.Recipe.Packages.Sources = []string{"copy:" + repository + " ./"}
	b.options.Recipe.Userlands = []bundle.Userland{{
		Name: "tools", Packages: []string{"tool"}, Files: []string{"usr/bin/e*"},
		Links: map[string]string{"usr/bin/environment": "env"},
	}}
	b.options.Recipe.Components[0].Images[0].Userland = "tools"
	made := b.create(t)
	if err := made.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	layers, err := filepath.Glob(filepath.Join(b.options.Cache, "userland-tools-*", "out", "layer.tar.gz"))
	if err != nil || len(layers) != 1 {
		t.Fatalf("layers %q, %v", layers, err)
	}
	names := list(t, layers[0])
	for _, want := range []string{"bin -> usr/bin", "usr/bin/env", "usr/bin/environment -> env", "lib64 -> usr/lib64"} {
		if !slices.Contains(names, want) {
			t.Errorf("%q is not in %q", want, names)
		}
	}
	for _, want := range []string{"libc.so", "ld-linux"} {
		if !slices.ContainsFunc(names, func(n string) bool {
			return strings.HasPrefix(n, "usr/lib") && strings.Contains(n, want)
		}) {
			t.Errorf("%s is not in %q", want, names)
		}
	}
	if slices.Contains(names, "usr/share/doc/tool") {
		t.Error("a file that nobody asked for is there")
	}

	b.options.Recipe.Userlands[0].Files = []string{"usr/bin/absent"}
	if _, err := bundle.Create(t.Context(), b.options); err == nil || !strings.Contains(err.Error(), "usr/bin/absent") {
		t.Errorf("a pattern without a match: %v", err)
	}
}

// list names what is in a packed tar, links with their targets.
func list(t *testing.T, path string) []string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for in := tar.NewReader(unpacked); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		if err != nil {
			t.Fatal(err)
		}
		name := header.Name
		if header.Linkname != "" {
			name += " -> " + header.Linkname
		}
		names = append(names, name)
	}
}
