package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

func TestMachinesAreMadeOfTheBundlesImage(t *testing.T) {
	t.Parallel()
	cluster := &spec.Cluster{
		Metadata: spec.Metadata{Name: "demo"},
		Spec:     spec.Spec{Target: spec.Local, Local: &spec.LocalTarget{Workers: 2}},
	}
	for files, want := range map[string]string{
		`[]`: "", `[{"path": "files/machine.tar", "sha256": "ab", "size": 1}]`: "files/machine.tar",
	} {
		dir := t.TempDir()
		lock := `{"format": 1, "kubernetes": "1.36.3", "files": ` + files + `}`
		if err := os.WriteFile(filepath.Join(dir, bundle.LockName), []byte(lock), 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := bundle.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		vars, err := terraformVariables(cluster, workspace.Folder(t.TempDir()), "ssh-ed25519 AAAA",
			sessionOptions{dry: true, image: machineImage(b)})
		if err != nil {
			t.Fatal(err)
		}
		got, set := vars["image_tar"]
		if set != (want != "") || set && got != filepath.Join(dir, want) {
			t.Errorf("files %s: the image is %v", files, got)
		}
	}
	if image := machineImage(nil); image != "" {
		t.Errorf("without a bundle the image is %s", image)
	}
}
