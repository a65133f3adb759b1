package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
)

func TestEditWorkers(t *testing.T) {
	t.Parallel()
	for title, test := range map[string]struct{ text, want string }{
		"a number": {
			"spec:\n  target: local\n  local: # here\n    # how many\n    workers: 2 # two\n",
			"spec:\n  target: local\n  local: # here\n    # how many\n    workers: 13 # two\n",
		},
		"on one line": {
			"spec: {target: local, local: {diskGiB: 8, workers: 2}}\n",
			"spec: {target: local, local: {diskGiB: 8, workers: 13}}\n",
		},
		"only other keys": {
			"spec:\n  target: local\n  local:\n    # the network\n    subnet: 10.77.0.0/24\n",
			"spec:\n  target: local\n  local:\n    # the network\n    workers: 13\n    subnet: 10.77.0.0/24\n",
		},
		"only comments, as init writes it": {
			"spec:\n  target: local\n\n  local:\n    #workers: 2\n\n  network:\n    plugin: flannel\n",
			"spec:\n  target: local\n\n  local:\n    workers: 13\n    #workers: 2\n\n  network:\n    plugin: flannel\n",
		},
		"no block": {
			"spec:\n  target: local\n  network: {plugin: flannel}\n",
			"spec:\n  target: local\n  local:\n    workers: 13\n  network: {plugin: flannel}\n",
		},
		"no line end": {
			"spec:\n  target: local",
			"spec:\n  target: local\n  local:\n    workers: 13\n",
		},
		"a block of one line without the number": {"spec: {target: local, local: {diskGiB: 8}}\n", ""},
		"an anchor":                              {"spec:\n  target: local\n  local: &l\n    workers: &w 2\n", ""},
		"empty":                                  {"", ""},
		"no spec":                                {"kind: Cluster\n", ""},
		"not a block":                            {"spec:\n  target: local\n  local: 3\n", ""},
	} {
		got, err := editWorkers(test.text, spec.Local, 13)
		if test.want == "" {
			if err == nil {
				t.Errorf("%s: %q", title, got)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%s: %v\n%s\nwant\n%s", title, err, got, test.want)
		}
	}
}

func TestWriteWorkersKeepsTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file.yaml"), filepath.Join(dir, "link.yaml")
	if err := os.WriteFile(file, []byte("spec:\n  target: aws\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if err := writeWorkers(link, spec.AWS, 3); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), "  aws:\n    workers: 3\n") {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("%v, %v", info, err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info, err)
	}
	if err := writeWorkers("-", spec.AWS, 3); err == nil || !strings.Contains(err.Error(), "standard input") {
		t.Errorf("%v", err)
	}
}
