package affected

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
)

// git runs one command; what it prints on its standard error becomes the error's text.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

func mergeBase(ctx context.Context, dir, ref string) (base, head string, err error) {
	if head, err = git(ctx, dir, "rev-parse", "HEAD"); err != nil {
		return "", "", err
	}
	if _, err := git(ctx, dir, "rev-parse", "--verify", "--quiet", "--end-of-options", ref+"^{commit}"); err != nil {
		return "", "", errors.Join(fmt.Errorf("%q: %w", ref, ErrNoCommit), ctx.Err())
	}
	base, err = git(ctx, dir, "merge-base", ref, "HEAD")
	if err != nil {
		return "", "", fmt.Errorf("%q and HEAD have no commit in common (a shallow clone?): %w", ref, err)
	}
	return strings.TrimSpace(base), strings.TrimSpace(head), nil
}

// changedFiles are paths from the root of the repository, sorted. A rename is a deletion and an addition.
func changedFiles(ctx context.Context, dir, base string) ([]string, error) {
	tracked, err := git(ctx, dir, "diff", "--name-only", "--no-renames", "-z", base)
	if err != nil {
		return nil, err
	}
	untracked, err := git(ctx, dir, "ls-files", "--others", "--exclude-standard", "-z")
	if err != nil {
		return nil, err
	}
	files := strings.FieldsFunc(tracked+untracked, func(r rune) bool { return r == 0 })
	slices.Sort(files)
	return slices.Compact(files), nil
}

// parents lists the newest commits, and each one's first parent, newest first.
func parents(ctx context.Context, dir string, count int) ([][2]string, error) {
	out, err := git(ctx, dir, "log", "--first-parent", fmt.Sprintf("--max-count=%d", count), "--format=%H %P")
	if err != nil {
		return nil, err
	}
	var found [][2]string
	for line := range strings.Lines(out) {
		if hashes := strings.Fields(line); len(hashes) > 1 {
			found = append(found, [2]string{hashes[0], hashes[1]})
		}
	}
	return found, nil
}
