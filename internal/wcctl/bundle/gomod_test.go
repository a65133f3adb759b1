package bundle_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
	"golang.org/x/mod/sumdb/dirhash"
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

// It is not parallel: the go command's settings are this process's own.
func TestPatchesAndSources(t *testing.T) {
	proxy := t.TempDir()
	for id, files := range map[string]map[string]string{
		"example.test/tool@v1.0.0": {
			"go.mod":           "module example.test/tool\n\ngo 1.26.0\n\nrequire example.test/part v1.0.0\n",
			"main.go":          "package main\n\nimport \"example.test/part\"\n\nfunc main() { println(part.Say()) }\n",
			"config/data.yaml": "kind: Data\n",
		},
		"example.test/part@v1.0.0": {
			"go.mod":       "module example.test/part\n\ngo 1.26.0\n",
			"part.go":      "package part\n\nfunc Say() string { return \"part with \" + names() }\n",
			"names.go":     "package part\n\nimport \"example.test/never/fetched\"\n",
			"part_test.go": "package part\n\nimport _ \"example.test/never/fetched\"\n",
		},
	} {
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
	folder := filepath.Join(b.options.Source, "tool")
	// Another version than the recipe's: the replacement outlives the new go.mod.
	write(t, filepath.Join(folder, "go.mod"), "module example.test/build/tool\n\ngo 1.26.0\n\n"+
		"tool example.test/tool\n\nrequire example.test/tool v0.9.0\n\nreplace example.test/part => ./part\n")
	write(t, filepath.Join(folder, "part", "names.go"), "package part\n\nfunc names() string { return \"nothing\" }\n")
	sum, err := dirhash.HashZip(filepath.Join(proxy, "example.test", "part", "@v", "v1.0.0.zip"), dirhash.DefaultHash)
	if err != nil {
		t.Fatal(err)
	}
	b.options.Recipe.Components = []bundle.Component{{
		Name: "tool", Version: "1.0.0",
		Build: &bundle.Build{
			Modules:  map[string]string{"example.test/tool": "1.0.0"},
			Patches:  map[string]bundle.Patch{"example.test/part": {Version: "1.0.0", Sum: sum, Folder: "part"}},
			Programs: map[string]string{"tool": "example.test/tool"},
		},
		Files: []bundle.File{
			{Name: "tool", URL: "https://example.test/tool", Program: "tool"},
			{
				Name: "data", URL: "https://example.test/v1.0.0/data.yaml",
				Source:   "example.test/tool/config/data.yaml",
				Checksum: fmt.Sprintf("%x", sha256.Sum256([]byte("kind: Data\n"))),
			},
		},
	}}
	made := b.create(t)
	out, err := exec.CommandContext(t.Context(), made.Path("tool")).CombinedOutput()
	if want := "part with nothing\n"; err != nil || string(out) != want {
		t.Errorf("the program said %q, %v; want %q", out, err, want)
	}
	if raw, err := os.ReadFile(made.Path("data.yaml")); err != nil || string(raw) != "kind: Data\n" {
		t.Errorf("data.yaml is %q, %v", raw, err)
	}

	component := &b.options.Recipe.Components[0]
	component.Files[1].Checksum = strings.Repeat("0", 64)
	b.refuses(t, "its SHA-256 is")
	component.Files = component.Files[:1]
	component.Build.Patches["example.test/part"] = bundle.Patch{Version: "1.0.0", Sum: "h1:other", Folder: "part"}
	b.refuses(t, "its sum is "+sum)
}

func (b *bench) refuses(t *testing.T, want string) {
	t.Helper()
	if _, err := bundle.Create(t.Context(), b.options); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("no %q in: %v", want, err)
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
