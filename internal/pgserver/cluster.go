package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

// Init makes a data folder if there is none yet. It appears under its name only when complete,
// so an interrupted Init leaves nothing that looks like a database.
func Init(ctx context.Context, cfg Config) error {
	cfg, err := cfg.resolved(ctx)
	if err != nil {
		return err
	}
	_, err = initCluster(ctx, cfg)
	return err
}

// initCluster returns who must run the server on the folder.
func initCluster(ctx context.Context, cfg Config) (*childproc.User, error) {
	u, err := serverUser(cfg.DataDir)
	if err != nil {
		return nil, err
	}
	parent := filepath.Dir(cfg.DataDir)
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // the server's user passes through it
		return nil, fmt.Errorf("creating folder for PostgreSQL: %w", err)
	}
	for _, dir := range []string{parent, cfg.Binaries.Dir} {
		if err := checkReach(dir, u); err != nil {
			return nil, err
		}
	}
	made, err := isCluster(cfg.DataDir)
	if err != nil || made {
		return u, err
	}
	unfinished := cfg.DataDir + ".init"
	if err := os.RemoveAll(unfinished); err != nil {
		return nil, fmt.Errorf("removing an unfinished data folder: %w", err)
	}
	if err := fill(ctx, cfg, unfinished, u); err != nil {
		return nil, errors.Join(err, os.RemoveAll(unfinished))
	}
	if err := os.Rename(unfinished, cfg.DataDir); err != nil {
		return nil, fmt.Errorf("moving the new data folder into place: %w", err)
	}
	return u, nil
}

// isCluster fails on a folder that holds something else, which initdb would refuse later.
func isCluster(dataDir string) (bool, error) {
	if _, err := os.Stat(filepath.Join(dataDir, "PG_VERSION")); err == nil {
		return true, nil
	}
	entries, err := os.ReadDir(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading data folder: %w", err)
	}
	if len(entries) > 0 {
		return false, fmt.Errorf("folder %s holds %s and no PostgreSQL data: choose an empty folder",
			dataDir, entries[0].Name())
	}
	return false, nil
}

func fill(ctx context.Context, cfg Config, dir string, u *childproc.User) error {
	if cfg.InitFrom != "" {
		return copyCluster(cfg.InitFrom, dir, u)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("creating data folder: %w", err)
	}
	if err := give(dir, u); err != nil {
		return err
	}
	return initdb(ctx, cfg, dir, u)
}

func initdb(ctx context.Context, cfg Config, dir string, u *childproc.User) error {
	// A file, because a password on the command line is in the process list.
	pwFile, err := os.CreateTemp(filepath.Dir(dir), "initdb-*")
	if err != nil {
		return fmt.Errorf("writing initdb's password file: %w", err)
	}
	defer func() { _ = os.Remove(pwFile.Name()) }()
	_, err = pwFile.WriteString(cfg.Password + "\n")
	if err := errors.Join(err, pwFile.Close(), give(pwFile.Name(), u)); err != nil {
		return fmt.Errorf("writing initdb's password file: %w", err)
	}
	args := []string{
		"-D", dir, "-U", Superuser, "--pwfile", pwFile.Name(), "--auth", "scram-sha-256",
		"--encoding", "UTF8", "--locale", "C.UTF-8",
	}
	if cfg.Ephemeral {
		// 1 MB segments: the cluster is copied for every test binary.
		args = append(args, "--no-sync", "--wal-segsize", "1")
	}
	err = childproc.Run(ctx, childproc.Config{
		Path: cfg.Binaries.Initdb(), Args: args, Env: childEnv(), Dir: dir, LogPath: cfg.LogPath,
		User: u, DeathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return explain(fmt.Errorf("making PostgreSQL's data folder: %w", err))
	}
	return nil
}

func give(path string, u *childproc.User) error {
	if u == nil {
		return nil
	}
	if err := os.Lchown(path, int(u.UID), int(u.GID)); err != nil {
		return fmt.Errorf("handing over to user %s: %w", u.Name, err)
	}
	return nil
}

// dataMajor reads which major version made a data folder, 0 when there is none yet.
func dataMajor(dataDir string) (int, error) {
	b, err := os.ReadFile(filepath.Join(dataDir, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading the data folder's version: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0, fmt.Errorf("reading the data folder's version: %w", err)
	}
	return major, nil
}

// childEnv leaves PGHOST, PGDATA and friends of this process behind.
func childEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}
