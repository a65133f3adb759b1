package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

func TestTheReleaseIsWrittenIntoTheFile(t *testing.T) {
	t.Parallel()
	for title, test := range map[string]struct{ text, want string }{
		"as it is": {
			"spec:\n  kubernetes:\n    version: 1.36.3 # old\n",
			"spec:\n  kubernetes:\n    version: 1.37.2 # old\n",
		},
		"quoted": {
			"spec:\n  kubernetes:\n    version: \"1.36.3\"\n",
			"spec:\n  kubernetes:\n    version: \"1.37.2\"\n",
		},
		"other key": {
			"spec:\n  kubernetes:\n    endpoint: a\n",
			"spec:\n  kubernetes:\n    version: 1.37.2\n    endpoint: a\n",
		},
		"as init writes it": {
			"spec:\n  target: local\n  kubernetes:\n    #version: 1.36.3\n",
			"spec:\n  target: local\n  kubernetes:\n    version: 1.37.2\n    #version: 1.36.3\n",
		},
		"no block": {"spec:\n  target: local\n", "spec:\n  target: local\n  kubernetes:\n    version: 1.37.2\n"},
		"an alias": {"spec:\n  kubernetes: &k\n    version: &v 1.36.3\n", ""},
	} {
		got, err := setting{"kubernetes", "version", "1.37.2"}.edit(test.text)
		if (err != nil) != (test.want == "") || got != test.want {
			t.Errorf("%s: %v\n%s", title, err, got)
		}
	}
}

// lockOnly is a bundle of which nothing but its lock is read.
func lockOnly(t *testing.T, dir, release string) string {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock := fmt.Sprintf(`{"format": 1, "kubernetes": %q, "files": []}`, release)
	if err := os.WriteFile(filepath.Join(dir, bundle.LockName), []byte(lock), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestTheReleaseIsDeclaredOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := bundle.Open(lockOnly(t, filepath.Join(dir, "new"), "1.37.2"))
	if err != nil {
		t.Fatal(err)
	}
	w := &writeRelease{
		file: filepath.Join(dir, spec.FileName), folder: workspace.Folder(dir), written: "1.36.3", release: "1.37.2",
		bundle: b,
	}
	if err := os.WriteFile(w.file, []byte("spec:\n  target: local\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	changes, err := w.Pending(t.Context(), nil)
	if err != nil || len(changes) != 2 || !strings.Contains(changes[0].String(), "it says 1.36.3") {
		t.Fatalf("%v, %v", changes, err)
	}
	if err := w.Apply(t.Context(), nil, changes); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(w.file)
	if err != nil || !strings.Contains(string(text), "version: 1.37.2") {
		t.Errorf("%s, %v", text, err)
	}
	if known, err := rememberedBundle(w.folder); err != nil || known != b.Dir() {
		t.Errorf("the bundle is %q, %v", known, err)
	}
	if changes, err := w.Pending(t.Context(), nil); err != nil || len(changes) > 0 {
		t.Errorf("then there is %v, %v", changes, err)
	}
}

func TestAnUpgradeFindsItsBundle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title            string
		target           spec.Target
		remembered, made string
		want             string
		refused          bool
	}{
		{title: "made as usual", target: spec.Local, remembered: "1.36.3", made: "1.37.2", want: "cache"},
		{title: "remembered", target: spec.Hosts, remembered: "1.37.2", made: "1.37.2", want: "old"},
		{title: "only the old one", target: spec.Hosts, remembered: "1.36.3", refused: true},
		{title: "none", target: spec.Local, refused: true},
		{title: "from the network", target: spec.Hosts},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			folder := workspace.Folder(filepath.Join(dir, "state"))
			con := &console{getenv: func(name string) string {
				return map[string]string{bundleCacheVar: filepath.Join(dir, "cache")}[name]
			}}
			if err := folder.Create(); err != nil {
				t.Fatal(err)
			}
			if c.made != "" {
				lockOnly(t, filepath.Join(dir, "cache", "bundle-"+c.made), c.made)
			}
			if c.remembered != "" {
				b, err := bundle.Open(lockOnly(t, filepath.Join(dir, "old"), c.remembered))
				if err == nil {
					err = rememberBundle(folder, b)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			cluster := &spec.Cluster{Spec: spec.Spec{Target: c.target}}
			cluster.Spec.Kubernetes.Version = "1.37.2"
			got, err := upgradeBundle(con, cluster, folder, &upgradeOptions{})
			if (err != nil) != c.refused || !strings.HasPrefix(strings.TrimPrefix(got, dir+"/"), c.want) ||
				(got == "") != (c.want == "") {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
