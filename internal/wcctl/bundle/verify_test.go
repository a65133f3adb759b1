package bundle_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

func TestVerifyNamesEveryFault(t *testing.T) {
	t.Parallel()
	blob := func(t *testing.T, b *bundle.Bundle, kind string) string {
		t.Helper()
		digest := b.Lock().Images[0].Digest
		manifest := "images/blobs/" + strings.ReplaceAll(digest, ":", "/")
		if kind == "manifest" {
			return manifest
		}
		var parsed struct {
			Layers []struct{ Digest string }
		}
		raw, err := os.ReadFile(filepath.Join(b.Dir(), manifest))
		if err == nil {
			err = json.Unmarshal(raw, &parsed)
		}
		if err != nil {
			t.Fatal(err)
		}
		return "images/blobs/" + strings.ReplaceAll(parsed.Layers[0].Digest, ":", "/")
	}
	tests := map[string]struct {
		harm func(t *testing.T, b *bundle.Bundle) string
		want string
	}{
		"a changed program": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			damage(t, b.Path("hello"))
			return "files/hello"
		}, "was changed"},
		"a cut program": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			if err := os.Truncate(b.Path("hello"), 10); err != nil {
				t.Fatal(err)
			}
			return "files/hello"
		}, "has 10 bytes instead of"},
		"a missing layer": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			name := blob(t, b, "layer")
			remove(t, b, name)
			return name
		}, "a part of " + helloRef + " is missing"},
		"a missing manifest": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			name := blob(t, b, "manifest")
			remove(t, b, name)
			return name
		}, "the manifest of " + helloRef + " is missing"},
		"a stranger": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			write(t, filepath.Join(b.Dir(), "files", "stranger"), "hi")
			return "files/stranger"
		}, "is not in bundle.lock.json"},
		"a missing index": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			remove(t, b, "images/index.json")
			return "images/index.json"
		}, "does not name " + helloRef},
		"another package": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			edit(t, filepath.Join(b.Dir(), "debs", "Packages"), "Size: ", "Size: 1")
			return "debs/Packages"
		}, "says something else of tool"},
		"a package that apt does not see": {func(t *testing.T, b *bundle.Bundle) string {
			t.Helper()
			edit(t, filepath.Join(b.Dir(), "debs", "Packages"), "Filename: ./tool-data", "Filename: ./tool-dat4")
			return "debs/Packages"
		}, "does not name debs/tool-data_1.0_all.deb"},
	}
	b := setup(t)
	b.withPackages(t)
	whole := os.DirFS(b.create(t).Dir())
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "bundle")
			if err := os.CopyFS(dir, whole); err != nil {
				t.Fatal(err)
			}
			path := test.harm(t, open(t, dir))
			opened := open(t, dir)
			var found *bundle.FaultsError
			if err := opened.Verify(t.Context()); !errors.As(err, &found) {
				t.Fatalf("Verify returned %v", err)
			}
			if !slices.ContainsFunc(found.Faults, func(f bundle.Fault) bool {
				return f.Path == path && strings.HasPrefix(f.Text, test.want)
			}) {
				t.Errorf("%s: %q is not among %+v", path, test.want, found.Faults)
			}
		})
	}
}
