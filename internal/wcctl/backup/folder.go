package backup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// suffix is of the names of backups in a folder.
const suffix = "-etcd.tar.gz"

const privateDir = 0o700

// Folder is where a cluster's backups are kept.
type Folder string

// PathFor makes the folder and names a new backup in it. What killed runs left there is removed; the
// caller holds the cluster's lock.
func (f Folder) PathFor(at time.Time) (string, error) {
	if err := os.MkdirAll(string(f), privateDir); err != nil {
		return "", fmt.Errorf("making the folder of backups: %w", err)
	}
	torn, err := filepath.Glob(filepath.Join(string(f), ".*"+suffix+".*"))
	for _, path := range torn {
		err = errors.Join(err, os.Remove(path))
	}
	if err != nil {
		return "", fmt.Errorf("removing a torn backup: %w", err)
	}
	return filepath.Join(string(f), at.UTC().Format("20060102T150405Z")+suffix), nil
}

// Find is the path of a backup that is named by its path or by its name in the folder.
func (f Folder) Find(name string) string {
	if _, err := os.Stat(name); err != nil && filepath.Base(name) == name {
		if inside := filepath.Join(string(f), name); exists(inside) {
			return inside
		}
	}
	return name
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Listed is a backup of a folder, or why it cannot be read.
type Listed struct {
	Backup
	Fault string `json:"fault,omitempty"`
}

// List is all backups of the folder, the newest first.
func (f Folder) List() ([]Listed, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("listing the backups: %w", err)
	}
	list := []Listed{}
	for _, entry := range slices.Backward(entries) { // their names are times
		if name := entry.Name(); !strings.HasSuffix(name, suffix) || strings.HasPrefix(name, ".") {
			continue
		}
		path := filepath.Join(string(f), entry.Name())
		found, err := Read(path)
		one := Listed{Backup: found}
		if err != nil {
			one.File, one.Fault = path, err.Error()
			if info, err := entry.Info(); err == nil {
				one.Bytes = info.Size()
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// Newest is the last readable backup of a cluster in the folder; found is false where there is none.
func (f Folder) Newest(cluster string) (newest Backup, found bool) {
	list, err := f.List()
	if err != nil {
		return Backup{}, false
	}
	for _, b := range list {
		if b.Fault == "" && b.Cluster == cluster {
			return b.Backup, true
		}
	}
	return Backup{}, false
}

// Prune removes all but the newest backups of a cluster from the folder and returns the removed paths.
// What cannot be read stays: somebody should look at it.
func (f Folder) Prune(cluster string, keep int) ([]string, error) {
	list, err := f.List()
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, b := range list {
		if b.Fault != "" || b.Cluster != cluster {
			continue
		}
		if keep--; keep >= 0 {
			continue
		}
		if err := os.Remove(b.File); err != nil {
			return removed, fmt.Errorf("removing an old backup: %w", err)
		}
		if err := os.Remove(b.File + sumSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return removed, fmt.Errorf("removing an old backup: %w", err)
		}
		removed = append(removed, b.File)
	}
	return removed, nil
}
