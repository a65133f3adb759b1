package gitops_test

import (
	"context"
	"errors"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/gitops"
	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

// TestMain gives Git somebody who commits: wcctl takes the user's identity.
func TestMain(m *testing.M) {
	for key, value := range map[string]string{
		"GIT_AUTHOR_NAME": "Kim", "GIT_AUTHOR_EMAIL": "kim@example.org", "GIT_COMMITTER_NAME": "Kim",
		"GIT_COMMITTER_EMAIL": "kim@example.org", "GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull,
	} {
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// origin is a real bare repository on the disk.
func origin(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "origin.git")
	git(t, "", "init", "--quiet", "--bare", "-b", "main", dir)
	git(t, dir, "config", "http.receivepack", "true")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := proc.Command{Dir: dir, Args: append([]string{"git"}, args...)}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func clone(t *testing.T, url string) *gitops.Repo {
	t.Helper()
	return &gitops.Repo{Dir: filepath.Join(t.TempDir(), "clone"), URL: url, Branch: "main"}
}

// overHTTP serves a repository by Git's own program for that.
func overHTTP(t *testing.T, dir string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "--exec-path").Output()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(&cgi.Handler{
		Path: filepath.Join(strings.TrimSpace(string(out)), "git-http-backend"),
		Env:  []string{"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1", "REMOTE_USER=kim"},
	})
	t.Cleanup(server.Close)
	return server.URL + "/" + filepath.Base(dir)
}

func write(t *testing.T, r *gitops.Repo, path, text string) string {
	t.Helper()
	commit, err := r.Change(t.Context(), path, "write "+path, func([]byte) ([]byte, error) { return []byte(text), nil })
	if err != nil {
		t.Fatal(err)
	}
	return commit
}

func TestAChangeIsOneCommit(t *testing.T) {
	t.Parallel()
	for name, address := range map[string]func(t *testing.T, dir string) string{
		"file": func(_ *testing.T, dir string) string { return "file://" + dir },
		"http": overHTTP,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := origin(t)
			r := clone(t, address(t, dir))
			write(t, r, "deploy/services/auth.yaml", "a: 1\n")
			second := write(t, r, "deploy/services/waste.yaml", "b: 1\n")
			if again := write(t, r, "deploy/services/waste.yaml", "b: 1\n"); again != second {
				t.Errorf("what changes nothing is the commit %s", again)
			}
			if got := git(t, dir, "log", "--format=%an: %s", "main"); got !=
				"Kim: write deploy/services/waste.yaml\nKim: write deploy/services/auth.yaml" {
				t.Errorf("the history is\n%s", got)
			}
			if got := git(t, dir, "ls-tree", "-r", "--name-only", "main"); got !=
				"deploy/services/auth.yaml\ndeploy/services/waste.yaml" {
				t.Errorf("the files are\n%s", got)
			}
			log, err := r.Log(t.Context(), "deploy/services/waste.yaml", 0)
			if err != nil || len(log) != 1 || log[0].Hash != second || log[0].Author != "Kim" || log[0].When.IsZero() {
				t.Errorf("its own history is %+v, %v", log, err)
			}
		})
	}
}

// TestOthersPushMeanwhile: another file goes below our commit, and the same one is a conflict.
func TestOthersPushMeanwhile(t *testing.T) {
	t.Parallel()
	for theirs, conflict := range map[string]bool{"auth.yaml": false, "waste.yaml": true} {
		dir := origin(t)
		us, them := clone(t, "file://"+dir), clone(t, "file://"+dir)
		write(t, us, "waste.yaml", "tag: 1\n")
		calls := 0
		_, err := us.Change(t.Context(), "waste.yaml", "waste: deployed 2", func([]byte) ([]byte, error) {
			if calls++; calls == 1 {
				write(t, them, theirs, "tag: theirs\n")
			}
			return []byte("tag: 2\n"), nil
		})
		var found *gitops.ConflictError
		if errors.As(err, &found) != conflict || conflict && found.By.Author != "Kim" || !conflict && err != nil {
			t.Errorf("they wrote %s: %v", theirs, err)
		}
		want := "waste: deployed 2\nwrite auth.yaml\nwrite waste.yaml"
		if conflict {
			want = "write waste.yaml\nwrite waste.yaml"
		}
		if got := git(t, dir, "log", "--format=%s", "main"); got != want {
			t.Errorf("they wrote %s, and the history is\n%s", theirs, got)
		}
	}
}

func TestContains(t *testing.T) {
	t.Parallel()
	dir := origin(t)
	us, them := clone(t, "file://"+dir), clone(t, "file://"+dir)
	first := write(t, us, "a", "1")
	later := write(t, them, "a", "2")
	for _, c := range []struct {
		whole, part string
		want        bool
	}{{first, first, true}, {later, first, true}, {first, later, false}, {strings.Repeat("0", 40), first, false}} {
		if got, err := us.Contains(t.Context(), c.whole, c.part); got != c.want || err != nil {
			t.Errorf("%.8s contains %.8s: %t, %v", c.whole, c.part, got, err)
		}
	}
}

func TestARepositoryThatIsNotThere(t *testing.T) {
	t.Parallel()
	err := clone(t, "file://"+t.TempDir()+"/none.git").Fetch(t.Context())
	var failed *proc.Error
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "none.git") {
		t.Errorf("the error is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := clone(t, "file://"+origin(t)).Fetch(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}
