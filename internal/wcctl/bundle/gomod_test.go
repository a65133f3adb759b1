package bundle_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

// It is not parallel: the go command's settings are this process's own.
func TestAnotherVersionThanTheFolders(t *testing.T) {
	proxy := t.TempDir()
	modules := map[string]map[string]string{
		"example.test/tool@v1.1.0": {
			"go.mod": `module example.test/tool

go 1.26.0

godebug default=go1.26

require example.test/part v0.0.0

replace example.test/part => ./staging/part
`,
			"main.go": `package main

import (
	"example.test/part"
	_ "example.test/tool/forbidden"
	"example.test/tool/own"
)

func main() { println("tool", own.Version, "with part", part.Version) }
`,
			"own/own.go":             "package own\n\nconst Version = \"1.1.0\"\n",
			"forbidden/forbidden.go": "package forbidden\n\nimport _ \"example.test/never/fetched\"\n",
		},
		"example.test/part@v0.1.0": {
			"go.mod":  "module example.test/part\n\ngo 1.26.0\n",
			"part.go": "package part\n\nconst Version = \"0.1.0\"\n",
		},
		"example.test/part@v0.0.0": {
			"go.mod":  "module example.test/part\n\ngo 1.26.0\n",
			"part.go": "package part\n\nconst Version = \"0.0.0\"\n",
		},
	}
	for id, files := range modules {
		publish(t, proxy, id, files)
	}
	cache := t.TempDir()
	t.Cleanup(func() { // the go command makes its module cache read-only
		_ = exec.CommandContext(t.Context(), "chmod", "-R", "u+w", cache).Run()
	})
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOSUMDB", "example.test")
	t.Setenv("GOMODCACHE", cache)

	b := setup(t)
	write(t, filepath.Join(b.options.Source, "tool", "go.mod"),
		"module example.test/build/tool\n\ngo 1.26.0\n\nrequire example.test/tool v1.0.0\n")
	b.options.Recipe.Components = []bundle.Component{{
		Name: "tool", Version: "1.1.0",
		Build: &bundle.Build{
			Modules:  map[string]string{"example.test/tool": "1.1.0"},
			Staging:  true,
			Main:     &bundle.Main{Package: "example.test/tool", Without: []string{"example.test/tool/forbidden"}},
			Programs: map[string]string{"tool": "."},
		},
		Files: []bundle.File{{Name: "tool", URL: "https://example.test/tool", Program: "tool"}},
	}}
	made := b.create(t)
	pinned := filepath.Join(b.options.Source, "tool", "go.mod")
	if raw, err := os.ReadFile(pinned); err != nil || !strings.Contains(string(raw), "tool v1.0.0") {
		t.Errorf("a build changed the source to %s, %v", raw, err)
	}
	if err := bundle.UpdateModule(t.Context(), b.options.Source, b.options.Recipe.Components[0]); err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(pinned); err != nil || !strings.Contains(string(raw), "tool v1.1.0") {
		t.Errorf("the module was updated to %s, %v", raw, err)
	}
	out, err := exec.CommandContext(t.Context(), made.Path("tool")).CombinedOutput()
	if want := "tool 1.1.0 with part 0.1.0\n"; err != nil || string(out) != want {
		t.Errorf("the program said %q, %v; want %q", out, err, want)
	}
}

// publish puts a module into a proxy that is a folder: https://go.dev/ref/mod#goproxy-protocol.
func publish(t *testing.T, proxy, id string, files map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		write(t, filepath.Join(dir, name), text)
	}
	path, number, _ := strings.Cut(id, "@")
	version := module.Version{Path: path, Version: number}
	base := filepath.Join(proxy, version.Path, "@v", version.Version)
	write(t, base+".mod", files["go.mod"])
	write(t, base+".info", `{"Version": "`+version.Version+`"}`)
	out, err := os.Create(base + ".zip")
	if err != nil {
		t.Fatal(err)
	}
	if err := zip.CreateFromDir(out, version, dir); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
