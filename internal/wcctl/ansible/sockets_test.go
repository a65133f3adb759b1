package ansible_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/ansible"
)

func TestConnectionsAreNobodyElses(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{
		"short": t.TempDir(), "long": filepath.Join(t.TempDir(), strings.Repeat("long", 12)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := os.MkdirAll(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			writePlaybook(t, dir, twoFiles)
			r, err := ansible.New(ansible.Options{Program: "true", Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Play(t.Context(), ansible.Play{Phase: "play", Fleet: machines(1)})
			if err == nil || strings.Contains(err.Error(), "SSH connections") {
				t.Errorf("got %v", err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			left, err := filepath.Glob(filepath.Join(dir, "ssh"))
			if err != nil || len(left) > 0 {
				t.Errorf("left: %q, %v", left, err)
			}
		})
	}
	t.Run("open to others", func(t *testing.T) {
		t.Parallel()
		work := filepath.Join(os.TempDir(), "wcct"+filepath.Base(t.TempDir()))
		if err := os.MkdirAll(filepath.Join(work, "ssh"), 0o700); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(work) })
		if err := os.Chmod(filepath.Join(work, "ssh"), 0o777); err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		writePlaybook(t, dir, twoFiles)
		r, err := ansible.New(ansible.Options{Program: "true", Dir: dir, Work: work})
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Play(t.Context(), ansible.Play{Phase: "play", Fleet: machines(1)})
		if err == nil || !strings.Contains(err.Error(), "is not this user's alone") {
			t.Errorf("got %v", err)
		}
	})
}
