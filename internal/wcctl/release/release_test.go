package release_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"github.com/wastecoach/wastecoach/infra"
	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/release"
)

// modules is the folder of the nested Go modules.
var modules = filepath.Join("..", "..", "..", "infra", "bundle")

var update = flag.Bool("update", false, "rewrite the golden files")

func load(t *testing.T) *release.Catalog {
	t.Helper()
	catalog, err := release.Load()
	if err != nil {
		t.Fatal(err)
	}
	return catalog
}

func TestDefault(t *testing.T) {
	t.Parallel()
	version, err := release.Default()
	if err != nil || version != load(t).Kubernetes.Default {
		t.Errorf("the default is %q, %v", version, err)
	}
}

func TestOnlineArtifacts(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"flannel", "calico"} {
		a, err := release.NewArtifacts("1.36.3", "arm64", nil)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.MarshalIndent(a.ForNetwork(network), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "online_"+network+".json", append(raw, '\n'))
	}
}

func TestEveryReleaseIsWhole(t *testing.T) {
	t.Parallel()
	catalog := load(t)
	for _, version := range catalog.Versions() {
		for _, arch := range []string{"amd64", "arm64"} {
			recipe, err := catalog.Recipe(version, arch)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := json.Marshal(recipe)
			if err != nil {
				t.Fatal(err)
			}
			if left := regexp.MustCompile(`\{[a-z-]+\}`).Find(raw); left != nil {
				t.Errorf("Kubernetes %s: %s has no value", version, left)
			}
			for _, c := range recipe.Components {
				if c.Build == nil || len(c.Build.Programs) == 0 {
					continue
				}
				if _, err := os.Stat(filepath.Join(modules, c.Name, "go.mod")); err != nil {
					t.Errorf("%s has nothing to build: %v", c.Name, err)
				}
			}
		}
	}
}

// TestModulesAreTheDefaults holds the nested modules and versions.yaml together: for the default
// release nothing has to be generated, so go.sum pins every byte. -update needs a network.
func TestModulesAreTheDefaults(t *testing.T) {
	t.Parallel()
	catalog := load(t)
	recipe, err := catalog.Recipe(catalog.Kubernetes.Default, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range recipe.Components {
		if c.Build == nil || len(c.Build.Modules) == 0 && len(c.Build.Programs) == 0 {
			continue
		}
		if *update {
			if err := bundle.UpdateModule(t.Context(), modules, c); err != nil {
				t.Fatal(err)
			}
		}
		path := filepath.Join(modules, c.Name, "go.mod")
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := modfile.Parse(path, raw, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, version := range c.Build.Modules {
			if !slices.ContainsFunc(file.Require, func(r *modfile.Require) bool {
				return r.Mod.Path == name && r.Mod.Version == "v"+version
			}) {
				t.Errorf("%s does not require %s v%s", path, name, version)
			}
		}
	}
}

func TestManifestsUseTheVersions(t *testing.T) {
	t.Parallel()
	catalog := load(t)
	recipe, err := catalog.Recipe(catalog.Kubernetes.Default, "amd64")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, c := range recipe.Components {
		for _, i := range c.Images {
			known = append(known, i.Ref)
		}
	}
	for name, least := range map[string]int{"flannel.yaml": 3, "metrics-server.yaml": 1} {
		text, err := infra.Manifests.ReadFile("manifests/" + name)
		if err != nil {
			t.Fatal(err)
		}
		images := regexp.MustCompile(`image: (\S+)`).FindAllSubmatch(text, -1)
		if len(images) < least {
			t.Errorf("%s names %d images", name, len(images))
		}
		for _, image := range images {
			if !slices.Contains(known, string(image[1])) {
				t.Errorf("%s uses %s, which is not in versions.yaml", name, image[1])
			}
		}
	}
}

func TestUnknownReleases(t *testing.T) {
	t.Parallel()
	_, err := release.NewArtifacts("1.20.0", "amd64", nil)
	var unknown *release.UnknownError
	if !errors.As(err, &unknown) || !slices.Contains(unknown.Known, "1.36.3") {
		t.Errorf("the error is %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ old, text, want string }{
		"an unknown field":      {"  default:", "  latest: 1\n  default:", "latest"},
		"an unknown default":    {"default: 1.36.3", "default: 1.36.4", "1.36.4"},
		"a program nobody made": {"program: kubeadm", "program: kubeadmin", "kubeadmin"},
		"a file made twice": {
			"program: kubeadm\n", "program: kubeadm\n        source: k8s.io/kubernetes/README.md\n", "one of program",
		},
		"a lost user land":  {"userland: copy", "userland: paste", "paste"},
		"a missing version": {"        etcd: 3.6.8\n", "", "etcd"},
		"no way to get it": {
			"    onlineOnly: no bundle can hold it, as its modules cannot be fetched\n", "", "calico",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Replace(string(infra.Versions), test.old, test.text, 1)
			if text == string(infra.Versions) {
				t.Fatalf("versions.yaml has no %q", test.old)
			}
			if _, err := release.Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("the error is %v", err)
			}
		})
	}
}

func TestBundleArtifacts(t *testing.T) {
	t.Parallel()
	catalog := load(t)
	recipe, err := catalog.Recipe("1.36.3", "amd64")
	if err != nil {
		t.Fatal(err)
	}
	b := lockOnly(t, recipe, func(*bundle.Lock) {})
	a, err := release.NewArtifacts("1.36.3", "amd64", b)
	if err != nil {
		t.Fatal(err)
	}
	want := release.Download{
		URL:      "http://127.0.0.1:5885/files/containerd-static-2.3.7-linux-amd64.tar.gz",
		Checksum: "sha256:" + strings.Repeat("a", 64),
	}
	if got := a.Files["containerd"]; got != want {
		t.Errorf("containerd comes from %+v", got)
	}
	if _, ok := a.Files["calico_manifest"]; ok {
		t.Error("a bundle cannot hold Calico")
	}
	if a.RegistryMirror != "http://127.0.0.1:5885" || a.AptSource != "http://127.0.0.1:5885/debs" {
		t.Errorf("mirror %q, apt %q", a.RegistryMirror, a.AptSource)
	}

	for name, harm := range map[string]func(*bundle.Lock){
		"has Kubernetes 1.37.2": func(l *bundle.Lock) { l.Kubernetes = "1.37.2" },
		"has architecture":      func(l *bundle.Lock) { l.Architecture = "arm64" },
		"lacks the file kubelet": func(l *bundle.Lock) {
			l.Files = slices.DeleteFunc(l.Files, func(d bundle.Digest) bool { return d.Path == "files/kubelet" })
		},
		"lacks the image registry.k8s.io/pause:3.10.2": func(l *bundle.Lock) {
			l.Images = slices.DeleteFunc(l.Images, func(i bundle.LockedImage) bool {
				return i.Ref == "registry.k8s.io/pause:3.10.2"
			})
		},
	} {
		_, err := release.NewArtifacts("1.36.3", "amd64", lockOnly(t, recipe, harm))
		var mismatch *release.MismatchError
		if !errors.As(err, &mismatch) || !strings.Contains(err.Error(), name) {
			t.Errorf("a bundle that %s: %v", name, err)
		}
	}
}

// lockOnly writes a bundle's lock without its files.
func lockOnly(t *testing.T, recipe bundle.Recipe, change func(*bundle.Lock)) *bundle.Bundle {
	t.Helper()
	lock := bundle.Lock{Format: 1, Kubernetes: recipe.Kubernetes, Architecture: recipe.Architecture}
	for _, c := range recipe.Components {
		for _, f := range c.Files {
			lock.Files = append(lock.Files, bundle.Digest{
				Path: "files/" + f.URL[strings.LastIndex(f.URL, "/")+1:], SHA256: strings.Repeat("a", 64),
			})
		}
		for _, i := range c.Images {
			lock.Images = append(lock.Images, bundle.LockedImage{Ref: i.Ref})
		}
	}
	change(&lock)
	raw, err := json.Marshal(lock)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, bundle.LockName), raw, 0o644); err != nil {
		t.Fatal(err)
	}
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (-update writes it):\n%s", name, got)
	}
}
