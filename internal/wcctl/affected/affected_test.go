package affected_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/affected"
)

// repository is a small one of the same shape: auth and waste share internal/shared, waste's test uses
// internal/fixture, nothing else stands.
type repository struct {
	t   *testing.T
	dir string
}

func newRepository(t *testing.T) *repository {
	t.Helper()
	r := &repository{t, t.TempDir()}
	for name, text := range map[string]string{
		"go.mod":                       "module example.org/waste\n\ngo 1.26\n",
		"README.md":                    "Waste\n",
		"Makefile":                     "all:\n",
		"docs/page.md":                 "page\n",
		"cmd/auth/main.go":             importing("main", "services/auth") + "\nfunc main() {}\n",
		"cmd/waste/main.go":            importing("main", "services/waste") + "\nfunc main() {}\n",
		"cmd/wcctl/main.go":            "package main\n\nfunc main() {}\n",
		"services/auth/auth.go":        importing("auth", "internal/shared"),
		"services/waste/waste.go":      importing("waste", "internal/shared"),
		"services/waste/waste_test.go": importing("waste_test", "internal/fixture"),
		"internal/shared/shared.go":    "package shared\n",
		"internal/fixture/fixture.go":  "package fixture\n",
		"internal/fixture/testdata/a":  "a\n",
		"migrations/migrations.go":     "package migrations\n",
		"migrations/waste/0001.sql":    "SELECT 1;\n",
		"charts/service/Chart.yaml":    "name: service\n",
	} {
		r.write(name, text)
	}
	r.git("init", "--quiet", "--initial-branch=main")
	r.git("config", "user.name", "Test")
	r.git("config", "user.email", "test@example.org")
	r.commit()
	return r
}

func importing(name, folder string) string {
	return "package " + name + "\n\nimport _ \"example.org/waste/" + folder + "\"\n"
}

func (r *repository) write(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repository) git(args ...string) {
	r.t.Helper()
	out, err := exec.CommandContext(r.t.Context(), "git", append([]string{"-C", r.dir}, args...)...).CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func (r *repository) commit() {
	r.t.Helper()
	r.git("add", "--all")
	r.git("commit", "--quiet", "--allow-empty", "--message", "Change")
}

func TestSince(t *testing.T) {
	t.Parallel()
	all := strings.Join(affected.Components(), " ")
	for name, tc := range map[string]struct {
		// file gets the text, or goes where the text is empty.
		file, text string
		want       string
	}{
		"nothing":            {"docs/page.md", "page\n", ""},
		"prose":              {"docs/page.md", "other\n", ""},
		"prose at the root":  {"README.md", "other\n", ""},
		"one service":        {"services/auth/more.go", "package auth\n", "auth"},
		"shared package":     {"internal/shared/more.go", "package shared\n", "auth waste wcctl"},
		"used by tests":      {"internal/fixture/testdata/a", "b\n", "waste wcctl"},
		"a program":          {"cmd/waste/more.go", "package main\n", "waste"},
		"its migration":      {"migrations/waste/0002.sql", "SELECT 2;\n", "waste"},
		"its values":         {"charts/service/values/auth.yaml", "a: 1\n", "auth"},
		"its API document":   {"api/users.yaml", "openapi: 3.1.0\n", "users"},
		"its pipeline":       {".github/workflows/ci-waste.yml", "on: push\n", "waste"},
		"every pipeline":     {".github/workflows/service.yml", "on: push\n", all},
		"every chart":        {"charts/service/Chart.yaml", "name: other\n", all},
		"the Makefile":       {"Makefile", "all: x\n", all},
		"another Go":         {"go.mod", "module example.org/waste\n\ngo 1.25\n", all},
		"a file with spaces": {"services/waste/testdata/사진 1.txt", "x\n", "waste"},
		"a test gone":        {"services/waste/waste_test.go", "", "waste"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t)
			r.git("checkout", "--quiet", "-b", "change")
			if tc.text == "" {
				r.remove(tc.file)
			} else {
				r.write(tc.file, tc.text)
			}
			check := func(when string) {
				report, err := affected.Since(t.Context(), r.dir, "main")
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Join(report.Affected, " "); got != tc.want {
					t.Errorf("%s: got %q, want %q, because of %v", when, got, tc.want, report.Reasons)
				}
			}
			check("not committed")
			r.commit()
			check("committed")
		})
	}
}

func (r *repository) remove(name string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.dir, name)); err != nil {
		r.t.Fatal(err)
	}
}

func TestSinceUnknownReference(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	if _, err := affected.Since(t.Context(), r.dir, "no-such-branch"); !errors.Is(err, affected.ErrNoCommit) {
		t.Errorf("got %v", err)
	}
	r.write("services/auth/broken.go", "package other\n")
	if _, err := affected.Since(t.Context(), r.dir, "HEAD"); err == nil {
		t.Error("a tree that cannot be loaded was reported on")
	}
}

func TestHistory(t *testing.T) {
	t.Parallel()
	r := newRepository(t)
	r.write("services/auth/more.go", "package auth\n")
	r.commit()
	r.write("docs/page.md", "other\n")
	r.commit()
	var got []string
	err := affected.History(t.Context(), r.dir, 10, func(report affected.Report) {
		got = append(got, strings.Join(report.Affected, " "))
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"", "auth"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	out, err := exec.CommandContext(t.Context(), "git", "-C", r.dir, "worktree", "list").Output()
	if err != nil || strings.Count(string(out), "\n") != 1 {
		t.Errorf("a worktree is left: %s %v", out, err)
	}
}
