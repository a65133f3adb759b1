package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// The names inside a bundle.
const (
	LockName = "bundle.lock.json"

	filesFolder  = "files"
	debsFolder   = "debs"
	imagesFolder = "images"
	indexName    = "index.json"
	layoutName   = "oci-layout"
	packagesName = "Packages"
)

// lockFormat is the version of the lock's own shape.
const lockFormat = 1

// Lock says what a bundle holds. It depends on nothing but that, so equal bundles have equal locks.
type Lock struct {
	Format       int    `json:"format"`
	Kubernetes   string `json:"kubernetes"`
	Architecture string `json:"architecture"`
	// Distribution is what the packages are for, e.g. debian-12.
	Distribution string            `json:"distribution"`
	Components   []LockedComponent `json:"components"`
	Images       []LockedImage     `json:"images"`
	Packages     []Package         `json:"packages"`
	// Files are all files of the bundle but the lock.
	Files []Digest `json:"files"`
}

// LockedComponent is a component with how it was built.
type LockedComponent struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Built is the command; its modules are in Modules.
	Built   string            `json:"built,omitempty"`
	Modules map[string]string `json:"modules,omitempty"`
	Tests   bool              `json:"tests,omitempty"`
}

// LockedImage is an image with its manifest's digest.
type LockedImage struct {
	Ref       string `json:"ref"`
	Digest    string `json:"digest"`
	Component string `json:"component"`
	// Size is the sum of its compressed layers.
	Size int64 `json:"size"`
}

// readLock reads a bundle's lock; unknown fields are of a newer wcctl.
func readLock(dir string) (Lock, error) {
	raw, err := os.ReadFile(filepath.Join(dir, LockName))
	if err != nil {
		return Lock{}, fmt.Errorf("opening the bundle: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	var lock Lock
	if err := decoder.Decode(&lock); err != nil {
		return Lock{}, fmt.Errorf("reading %s: %w", LockName, err)
	}
	if lock.Format != lockFormat {
		return Lock{}, fmt.Errorf("%s has format %d, this wcctl reads %d",
			LockName, lock.Format, lockFormat)
	}
	return lock, nil
}
