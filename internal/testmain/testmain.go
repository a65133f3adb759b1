// Package testmain ends what the tests of one binary share.
package testmain

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

const (
	dirPrefix = "wastecoach-test-"
	lockName  = ".lock"
)

var (
	mu    sync.Mutex
	hooks []func()
)

// Tests is *testing.M, or something that runs one and looks at the outcome.
type Tests interface{ Run() int }

// Main runs the tests, then everything given to AtExit, and returns the exit code.
func Main(m Tests) int {
	code := m.Run()
	mu.Lock()
	defer mu.Unlock()
	for i := len(hooks) - 1; i >= 0; i-- {
		hooks[i]()
	}
	hooks = nil
	return code
}

// AtExit registers work for the end of Main, done in reverse order.
func AtExit(hook func()) {
	mu.Lock()
	defer mu.Unlock()
	hooks = append(hooks, hook)
}

// Dir makes a folder that lives as long as this test binary and that other users may pass
// through. Main removes it; after a crash the next Dir of any test binary does.
func Dir(name string) (string, error) {
	// Between making a folder and locking it, no other binary may sweep.
	unlock, err := Lock(filepath.Join(os.TempDir(), fmt.Sprintf("wastecoach-sweep-%d.lock", os.Geteuid())))
	if err != nil {
		return "", err
	}
	defer unlock()
	sweep()
	dir, err := os.MkdirTemp("", dirPrefix+name+"-")
	if err != nil {
		return "", fmt.Errorf("making a folder for tests: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // PostgreSQL's user passes through it
		return "", fmt.Errorf("making a folder for tests: %w", err)
	}
	// The lock lasts as long as the process and tells the sweep that the folder is in use.
	held, err := lock(filepath.Join(dir, lockName), syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	AtExit(func() {
		_ = os.RemoveAll(dir)
		_ = held.Close() // held by the hook until now: a collected file would lose its lock
	})
	return dir, nil
}

// Lock waits for the exclusive lock of a file and returns the unlocking.
func Lock(path string) (func(), error) {
	f, err := lock(path, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

func sweep() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		f, err := lock(filepath.Join(dir, lockName), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue
		}
		_ = os.RemoveAll(dir)
		_ = f.Close()
	}
}

func lock(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}
