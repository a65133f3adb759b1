package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// TestHintsInstallWhatChartsAreCheckedWith: the kinds that tests know are those that users get.
func TestHintsInstallWhatChartsAreCheckedWith(t *testing.T) {
	t.Parallel()
	path := filepath.Join("..", "..", "..", "tools", "kubeschema", "go.mod")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := modfile.Parse(path, data, nil)
	if err != nil {
		t.Fatal(err)
	}
	versions := map[string]string{}
	for _, r := range file.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	for module, hint := range map[string]string{
		"github.com/cert-manager/cert-manager": certManagerHint, "github.com/kedacore/keda/v2": kedaHint,
		"github.com/argoproj/argo-cd/v3": argoHint,
	} {
		if version := versions[module]; version == "" || !strings.Contains(hint, version) {
			t.Errorf("charts are checked with %s %s; the hint is %s", module, version, hint)
		}
	}
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "cluster", "platform.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, hint := range []string{certManagerHint, f5Hint, kedaHint} {
		for word := range strings.FieldsSeq(hint) {
			if !strings.Contains(string(page), word) {
				t.Errorf("the page on the platform has no %s", word)
			}
		}
	}
}
