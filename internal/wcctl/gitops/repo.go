package gitops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

// pushAttempts is how often a change is put on top of what others pushed meanwhile.
const pushAttempts = 3

// Repo is one branch of a Git repository, as a bare clone of wcctl's own: no working tree of anybody's
// is touched. Git itself does the work, so its credential helpers, SSH keys and identity hold.
type Repo struct {
	// Dir is the clone's folder; it is made where it is missing.
	Dir         string
	URL, Branch string
}

// Commit is one change of a file.
type Commit struct {
	Hash    string
	Author  string
	When    time.Time
	Subject string
	Body    string
}

// ConflictError is a file that somebody else changed meanwhile.
type ConflictError struct {
	Path string
	By   Commit
}

// Error implements error.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("%s was changed meanwhile by %s: %s (%s)", e.Path, e.By.Author, e.By.Subject, short(e.By.Hash))
}

func short(hash string) string {
	const digits = 10
	return hash[:min(digits, len(hash))]
}

// git runs one command on the clone and returns what it printed.
func (r *Repo) git(ctx context.Context, env []string, args ...string) (string, error) {
	out, err := proc.Command{
		Dir: r.Dir, Args: append([]string{"git"}, args...),
		// Nobody can be asked, because a screen may be drawn; hooks and aliases are not for us.
		Env: append([]string{"GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "GIT_DIR=" + r.Dir}, env...),
	}.Run(ctx)
	return strings.TrimSpace(string(out)), err
}

// Fetch makes the clone and brings the branch to where it is. A repository without it is empty.
func (r *Repo) Fetch(ctx context.Context) error {
	if _, err := os.Stat(filepath.Join(r.Dir, "HEAD")); err != nil {
		if err := os.MkdirAll(r.Dir, 0o700); err != nil {
			return fmt.Errorf("making the clone: %w", err)
		}
		if _, err := r.git(ctx, nil, "init", "--quiet", "--bare", r.Dir); err != nil {
			return fmt.Errorf("making the clone: %w", err)
		}
	}
	ref := r.ref()
	heads, err := r.git(ctx, nil, "ls-remote", "--heads", "--", r.URL, ref)
	if err == nil && heads == "" {
		_, err = r.git(ctx, nil, "update-ref", "-d", ref)
		return err
	}
	if err == nil {
		_, err = r.git(ctx, nil, "fetch", "--quiet", "--no-tags", "--", r.URL, "+"+ref+":"+ref)
	}
	if err != nil {
		return fmt.Errorf("fetching %s of %s: %w", r.Branch, r.URL, err)
	}
	return nil
}

func (r *Repo) ref() string { return "refs/heads/" + r.Branch }

// Head is the branch's newest commit; empty where there is none yet.
func (r *Repo) Head(ctx context.Context) (string, error) {
	out, err := r.git(ctx, nil, "for-each-ref", "--format=%(objectname)", r.ref())
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", r.Branch, err)
	}
	return out, nil
}

// Read returns a file as it is in a commit; nil where it is not there.
func (r *Repo) Read(ctx context.Context, commit, path string) ([]byte, error) {
	if commit == "" {
		return nil, nil
	}
	entry, err := r.git(ctx, nil, "ls-tree", commit, "--", path)
	if err != nil || entry == "" {
		return nil, err
	}
	out, err := proc.Command{
		Dir: r.Dir, Args: []string{"git", "cat-file", "blob", commit + ":" + path}, Env: []string{"GIT_DIR=" + r.Dir},
	}.Run(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return out, nil
}

// Change edits one file and pushes that as a commit, on top of what others pushed meanwhile to other
// files. It returns the commit that has the file as edited, which is no new one where edit changes nothing.
func (r *Repo) Change(
	ctx context.Context, path, message string, edit func(old []byte) ([]byte, error),
) (commit string, err error) {
	var before []byte
	for attempt := range pushAttempts {
		if err := r.Fetch(ctx); err != nil {
			return "", err
		}
		head, err := r.Head(ctx)
		if err != nil {
			return "", err
		}
		old, err := r.Read(ctx, head, path)
		if err != nil {
			return "", err
		}
		if attempt > 0 && !slices.Equal(old, before) {
			return "", r.conflict(ctx, path)
		}
		before = old
		edited, err := edit(slices.Clone(old))
		if err != nil {
			return "", err
		}
		if slices.Equal(old, edited) {
			return head, nil
		}
		commit, err := r.commit(ctx, head, path, message, edited)
		if err != nil {
			return "", err
		}
		lost, err := r.push(ctx, head, commit)
		if err == nil {
			return commit, nil
		}
		if !lost {
			return "", err
		}
	}
	return "", fmt.Errorf("others push to %s all the time: %d attempts did not get through", r.Branch, pushAttempts)
}

func (r *Repo) conflict(ctx context.Context, path string) error {
	log, err := r.Log(ctx, path, 1)
	if err != nil {
		return err
	}
	if len(log) == 0 {
		return fmt.Errorf("%s is gone meanwhile", path)
	}
	return &ConflictError{Path: path, By: log[0]}
}

// commit writes a commit that changes one file of its parent. Nothing points to it yet.
func (r *Repo) commit(ctx context.Context, parent, path, message string, data []byte) (string, error) {
	dir, err := os.MkdirTemp(r.Dir, "change-")
	if err != nil {
		return "", fmt.Errorf("writing the commit: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the next change has a folder of its own
	content, text := filepath.Join(dir, "content"), filepath.Join(dir, "message")
	if err := errors.Join(
		os.WriteFile(content, data, 0o600), os.WriteFile(text, []byte(message+"\n"), 0o600),
	); err != nil {
		return "", fmt.Errorf("writing the commit: %w", err)
	}
	index := []string{"GIT_INDEX_FILE=" + filepath.Join(dir, "index")}
	var failed error
	run := func(args ...string) string {
		if failed != nil {
			return ""
		}
		out, err := r.git(ctx, index, args...)
		failed = err
		return out
	}
	blob := run("hash-object", "-w", "--no-filters", "--", content)
	parents := []string{}
	if parent != "" {
		run("read-tree", parent)
		parents = []string{"-p", parent}
	}
	run("update-index", "--add", "--cacheinfo", "100644,"+blob+","+path)
	tree := run("write-tree")
	commit := run(append([]string{"commit-tree", tree, "-F", text}, parents...)...)
	if failed != nil {
		return "", fmt.Errorf("writing the commit: %w", failed)
	}
	return commit, nil
}

// push makes the commit the branch's newest; Git refuses that where it is not its parent any more. It
// tells whether that is why, so that somebody else was faster.
func (r *Repo) push(ctx context.Context, parent, commit string) (lost bool, err error) {
	_, err = r.git(ctx, nil, "push", "--quiet", "--", r.URL, commit+":"+r.ref())
	if err == nil {
		_, err = r.git(ctx, nil, "update-ref", r.ref(), commit)
		return false, err
	}
	now, asking := r.git(ctx, nil, "ls-remote", "--heads", "--", r.URL, r.ref())
	hash, _, _ := strings.Cut(now, "\t")
	return asking == nil && hash != parent, fmt.Errorf("pushing to %s of %s: %w", r.Branch, r.URL, err)
}

// Log lists the newest commits that changed a file, the newest first; 0 for all.
func (r *Repo) Log(ctx context.Context, path string, count int) ([]Commit, error) {
	head, err := r.Head(ctx)
	if err != nil || head == "" {
		return nil, err
	}
	const fields = "%H%x1f%an%x1f%aI%x1f%s%x1f%b%x1e"
	out, err := r.git(ctx, nil, "log", fmt.Sprintf("--max-count=%d", cmp.Or(count, -1)), "--format="+fields, head,
		"--", path)
	if err != nil {
		return nil, fmt.Errorf("reading the history of %s: %w", path, err)
	}
	var commits []Commit
	for record := range strings.SplitSeq(out, "\x1e") {
		f := strings.Split(strings.TrimSpace(record), "\x1f")
		if len(f) < 5 {
			continue
		}
		when, err := time.Parse(time.RFC3339, f[2])
		if err != nil {
			return nil, fmt.Errorf("reading the history of %s: %w", path, err)
		}
		commits = append(commits, Commit{
			Hash: f[0], Author: f[1], When: when.UTC(), Subject: f[3], Body: strings.TrimSpace(f[4]),
		})
	}
	return commits, nil
}

// Contains tells whether a commit is part of another one's history.
func (r *Repo) Contains(ctx context.Context, whole, part string) (bool, error) {
	if whole == part {
		return true, nil
	}
	known := func() bool {
		_, err := r.git(ctx, nil, "cat-file", "-e", whole+"^{commit}")
		return err == nil
	}
	if !known() { // it was pushed since
		if err := r.Fetch(ctx); err != nil || !known() {
			return false, err
		}
	}
	common, err := r.git(ctx, nil, "rev-list", "--max-count=1", part, "--not", whole)
	if err != nil {
		return false, fmt.Errorf("looking for %s in %s: %w", short(part), short(whole), err)
	}
	return common == "", nil
}
