package dev

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const (
	markerName = ".wastecoach-dev"
	markerText = "This folder belongs to wcctl dev; wcctl dev --reset empties it.\n"
	// lowDisk and fullDisk are free bytes below which a start warns and refuses.
	lowDisk  = 1 << 30
	fullDisk = 200 << 20
)

// Folder is the data folder of a stack.
type Folder string

// Errors about a data folder.
var (
	ErrForeignFolder = errors.New("the folder holds other files and is not one of wcctl dev")
	ErrDiskFull      = errors.New("the disk is nearly full")
)

func (f Folder) path(parts ...string) string {
	return filepath.Join(append([]string{string(f)}, parts...)...)
}

// LogPath is the log of all services as JSON lines.
func (f Folder) LogPath() string { return f.path("log", "wastecoach.log") }

// DetachedPath takes what a stack in the background prints.
func (f Folder) DetachedPath() string { return f.path("log", "detached.out") }

// Make creates the folder with its marker, or finds one that has it.
func (f Folder) Make() error {
	entries, err := os.ReadDir(string(f))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	if len(entries) > 0 && !f.isOurs() {
		return fmt.Errorf("data folder %s: %w", f, ErrForeignFolder)
	}
	// As root, PostgreSQL runs as another user, who must pass through.
	if err := os.MkdirAll(f.path("log"), 0o711); err != nil { //nolint:gosec // secrets are 0600
		return fmt.Errorf("making the data folder: %w", err)
	}
	if err := os.WriteFile(f.path(markerName), []byte(markerText), 0o600); err != nil {
		return fmt.Errorf("marking the data folder: %w", err)
	}
	return nil
}

func (f Folder) isOurs() bool {
	_, err := os.Stat(f.path(markerName))
	return err == nil
}

// Holds tells whether there is something for Empty to remove.
func (f Folder) Holds() bool { return f.isOurs() }

// Empty removes everything but the marker, the lock and the running log. It refuses any folder
// that has no marker.
func (f Folder) Empty() error {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the data folder: %w", err)
	}
	if !f.isOurs() {
		return fmt.Errorf("data folder %s: %w", f, ErrForeignFolder)
	}
	for _, entry := range entries {
		if name := entry.Name(); name == markerName || name == lockName || name == "log" {
			continue
		}
		if err := os.RemoveAll(f.path(entry.Name())); err != nil {
			return fmt.Errorf("emptying the data folder: %w", err)
		}
	}
	return nil
}

// CheckDisk returns ErrDiskFull, or a warning when room gets short.
func (f Folder) CheckDisk() (warning string, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(string(f), &st); err != nil {
		return "", fmt.Errorf("asking for free space: %w", err)
	}
	free := st.Bavail * uint64(st.Bsize) //nolint:gosec // a block size
	switch {
	case free < fullDisk:
		return "", fmt.Errorf("%w: %d MiB are free on the disk of %s, %d are needed",
			ErrDiskFull, free>>20, f, fullDisk>>20)
	case free < lowDisk:
		return fmt.Sprintf("only %d MiB are free on the disk of %s", free>>20, f), nil
	default:
		return "", nil
	}
}
