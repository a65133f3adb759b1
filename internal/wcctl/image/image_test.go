package image_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/image"
)

// checkout is a small module of the same name as ours, with a stand-in for the package whose variable the
// linker sets.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for path, text := range map[string]string{
		"go.mod": "module github.com/wastecoach/wastecoach\n\ngo 1.26.0\n\n" +
			"require github.com/prometheus/common v0.0.0\n\n" +
			"replace github.com/prometheus/common => ./common\n",
		"common/go.mod":             "module github.com/prometheus/common\n\ngo 1.26.0\n",
		"common/version/version.go": "package version\n\nvar Version string\n",
		"cmd/auth/main.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"time\"\n\n" +
			"\t\"github.com/prometheus/common/version\"\n)\n\n" +
			"func main() {\n\tzone, err := time.LoadLocation(\"Asia/Seoul\")\n" +
			"\tfmt.Println(version.Version, zone, err)\n}\n",
		"cmd/users/main.go": "package main\n\nfunc main() { undefined() }\n",
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func options(t *testing.T, platforms ...string) image.Options {
	t.Helper()
	o := image.Options{
		Source: checkout(t), Services: []string{"auth"},
		Version: image.Version{Tag: "1.2.3", Commit: "abcdef", Time: time.Unix(1700000000, 0).UTC()},
	}
	for _, text := range platforms {
		p, err := image.ParsePlatform(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Platforms = append(o.Platforms, p)
	}
	return o
}

func build(t *testing.T, o image.Options) image.Image {
	t.Helper()
	images, err := image.Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return images[0]
}

func TestAnImageHoldsAProgramAndWhatItNeeds(t *testing.T) {
	t.Parallel()
	o := options(t, "linux/"+runtime.GOARCH)
	var told []event.Kind
	o.Sink = event.SinkFunc(func(e event.Event) { told = append(told, e.Kind) })
	img := build(t, o).Parts[0].Image
	if want := []event.Kind{
		event.TaskStarted, event.TaskFinished, event.TaskStarted, event.TaskFinished,
	}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.Config.User != "65532:65532" || !slices.Equal(config.Config.Entrypoint, []string{"/usr/local/bin/auth"}) {
		t.Errorf("user %q runs %v", config.Config.User, config.Config.Entrypoint)
	}
	for label, want := range map[string]string{"title": "auth", "version": "1.2.3", "revision": "abcdef"} {
		if got := config.Config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s is %q, want %q", label, got, want)
		}
	}
	files := contents(t, img)
	if !strings.Contains(string(files["etc/ssl/certs/ca-certificates.crt"]), "BEGIN CERTIFICATE") {
		t.Error("no certificates")
	}
	if !strings.Contains(string(files["etc/passwd"]), "nonroot:x:65532:65532") {
		t.Error("the user has no name")
	}
	program := filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(program, files["usr/local/bin/auth"], 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = []string{"ZONEINFO=/nonexistent"}
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "1.2.3 Asia/Seoul <nil>\n" {
		t.Errorf("the program says %q, %v", out, err)
	}
	var sbom struct {
		Packages []struct{ Name, VersionInfo string }
	}
	if err := json.Unmarshal(files["usr/share/sbom/auth.spdx.json"], &sbom); err != nil {
		t.Fatal(err)
	}
	if len(sbom.Packages) != 3 || sbom.Packages[0].VersionInfo != "1.2.3" || sbom.Packages[1].Name != "stdlib" {
		t.Errorf("the SBOM lists %v", sbom.Packages)
	}
}

func contents(t *testing.T, img v1.Image) map[string][]byte {
	t.Helper()
	content := mutate.Extract(img)
	defer content.Close()
	files := map[string][]byte{}
	for in := tar.NewReader(content); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[header.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEqualSourcesMakeEqualImages(t *testing.T) {
	t.Parallel()
	one, two := options(t, "linux/amd64"), options(t, "linux/amd64") // two folders
	first, err := build(t, one).Digest()
	if err != nil {
		t.Fatal(err)
	}
	if second, err := build(t, two).Digest(); err != nil || first != second {
		t.Errorf("%s and %s, %v", first, second, err)
	}
	two.Version.Tag = "1.2.4"
	if third, err := build(t, two).Digest(); err != nil || first == third {
		t.Errorf("another version has the same digest %s, %v", third, err)
	}
}

func TestAFailedBuildNamesTheProgram(t *testing.T) {
	t.Parallel()
	o := options(t, "linux/amd64")
	o.Services = []string{"users"}
	_, err := image.Build(t.Context(), o)
	if err == nil {
		t.Fatal("a program that does not compile was built")
	}
	for _, want := range []string{"building the programs for linux/amd64", "cmd/users", "undefined: undefined"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not hold %q", err, want)
		}
	}
}

func TestImagesOfTwoPlatformsArePushedAndSaved(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo))))
	t.Cleanup(server.Close)
	img := build(t, options(t, "linux/amd64", "linux/arm64"))
	ref := image.Ref(strings.TrimPrefix(server.URL, "http://")+"/wc", "auth", "1.2.3")
	if err := img.Push(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	want, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Index(parsed, remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := index.Digest(); err != nil || got != want {
		t.Errorf("pushed %s, %v, want %s", got, err, want)
	}
	dir := t.TempDir()
	for range 2 { // the second replaces the first
		if err := img.Save(dir, ref); err != nil {
			t.Fatal(err)
		}
	}
	saved, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := saved.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	if len(manifest.Manifests) != 1 || manifest.Manifests[0].Digest != want {
		t.Errorf("saved %v, want %s", manifest.Manifests, want)
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	cases := map[string]bool{
		"linux/amd64": true, "linux/arm64": true, "windows/amd64": false, "linux": false, "linux/riscv64": false,
		"linux/arm64/v9": false,
	}
	for _, text := range slices.Sorted(maps.Keys(cases)) {
		if _, err := image.ParsePlatform(text); (err == nil) != cases[text] {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTheVersionIsTheCommit(t *testing.T) {
	t.Parallel()
	dir := checkout(t)
	git := func(args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"-C", dir}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a",
			"GIT_COMMITTER_EMAIL=a@example.com", "GIT_COMMITTER_DATE=1700000000 +0000")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
	}
	if _, err := image.ReadVersion(t.Context(), dir); err == nil {
		t.Error("a folder without a repository has a version")
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "Begin")
	clean, err := image.ReadVersion(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(clean.Tag) != 12 || !strings.HasPrefix(clean.Commit, clean.Tag) || clean.Time.Unix() != 1700000000 {
		t.Errorf("the version is %+v", clean)
	}
	if err := os.WriteFile(filepath.Join(dir, "new.go"), bytes.Repeat([]byte("\n"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if dirty, err := image.ReadVersion(t.Context(), dir); err != nil || dirty.Tag != clean.Tag+"-dirty" {
		t.Errorf("with a new file it is %+v, %v", dirty, err)
	}
}
