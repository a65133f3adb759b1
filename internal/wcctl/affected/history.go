package affected

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// History reports on the newest commits on their own, newest first. It checks each out in a folder of
// its own and tells of each as it is done; one that cannot be read ends it.
func History(ctx context.Context, dir string, count int, tell func(Report)) (err error) {
	commits, err := parents(ctx, dir, count)
	if err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "wcctl-changed-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	at := filepath.Join(temp, "tree")
	if _, err := git(ctx, dir, "worktree", "add", "--detach", "--quiet", at, "HEAD"); err != nil {
		return err
	}
	defer func() {
		_, gone := git(context.WithoutCancel(ctx), dir, "worktree", "remove", "--force", at)
		err = errors.Join(err, gone)
	}()
	for _, c := range commits {
		if _, err := git(ctx, at, "checkout", "--quiet", "--detach", c[0]); err != nil {
			return err
		}
		report, err := Since(ctx, at, c[1])
		if err != nil {
			return fmt.Errorf("commit %.10s: %w", c[0], err)
		}
		tell(report)
	}
	return nil
}
