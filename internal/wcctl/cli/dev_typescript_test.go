package cli_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/wastecoach/wastecoach/internal/testphoto"
	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

// typescriptApp is the app's flow on the client that is generated from the contract.
const typescriptApp = "../../../tools/contract/dist/analyze.js"

func (s *devStack) testTypeScript(t *testing.T) {
	if _, err := os.Stat(typescriptApp); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the TypeScript client is not built: run `make contract`")
	}
	info, err := dev.Find(dev.Folder(s.data))
	if err != nil {
		t.Fatal(err)
	}
	photo := testphoto.JPEG(testphoto.Picture(1), 90)
	for name, tc := range map[string]struct {
		photo []byte
		code  int
		want  []string
	}{
		"photo": {photo, 0, []string{`(?m)^\d+ % .`, `(?m)^100 % .`, `(?m)^succeeded `, `(?m)^- .`}},
		"torn":  {photo[:len(photo)/10], 1, []string{`(?m)^failed `, `(?m)^[a-z_]+: .`}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "photo.jpg")
			if err := os.WriteFile(path, tc.photo, 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), "node", typescriptApp, info.URL, path)
			out, err := cmd.CombinedOutput()
			if cmd.ProcessState.ExitCode() != tc.code {
				t.Fatalf("%v, want exit code %d\n%s", err, tc.code, out)
			}
			for _, want := range tc.want {
				if !regexp.MustCompile(want).Match(out) {
					t.Errorf("no %s in\n%s", want, out)
				}
			}
		})
	}
}
