// Package workspace is a cluster's state folder: what wcctl knows between two runs.
package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// FolderName is the state folder's name beside wastecoach.yaml.
const FolderName = ".wastecoach"

const (
	privateFile = 0o600
	privateDir  = 0o700
)

// Folder is the path of a state folder. Nothing is written before Create.
type Folder string

// Beside is the state folder of the configuration file at path.
func Beside(path string) Folder { return Folder(filepath.Join(filepath.Dir(path), FolderName)) }

// Create makes the folder, which Git then ignores, and mends its permissions.
func (f Folder) Create() error {
	for _, dir := range []string{string(f), f.Logs(), filepath.Dir(f.KeyFile())} {
		if err := os.MkdirAll(dir, privateDir); err != nil {
			return fmt.Errorf("making the state folder: %w", err)
		}
	}
	// Somebody may have made it by hand.
	if err := os.Chmod(string(f), privateDir); err != nil {
		return fmt.Errorf("protecting the state folder: %w", err)
	}
	ignore := f.path(".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	return WriteFile(ignore, []byte("*\n"))
}

// Exists tells whether a run has been here.
func (f Folder) Exists() bool {
	info, err := os.Stat(string(f))
	return err == nil && info.IsDir()
}

// Remove deletes the folder with all it holds: keys, logs and Terraform's state.
func (f Folder) Remove() error {
	if err := os.RemoveAll(string(f)); err != nil {
		return fmt.Errorf("removing the state folder: %w", err)
	}
	return nil
}

func (f Folder) path(elements ...string) string {
	return filepath.Join(append([]string{string(f)}, elements...)...)
}

// KnownHosts holds the machines' host keys as they were at first contact.
func (f Folder) KnownHosts() string { return f.path("known_hosts") }

// Kubeconfig is the cluster's administrator.
func (f Folder) Kubeconfig() string { return f.path("kubeconfig") }

// KeyFile is the SSH key that is used where the configuration names none.
func (f Folder) KeyFile() string { return f.path("ssh", "id_ed25519") }

// Terraform is Terraform's working folder, its state included.
func (f Folder) Terraform() string { return f.path("terraform") }

// Ansible is where the playbook is unpacked.
func (f Folder) Ansible() string { return f.path("ansible") }

// Backups holds the control plane's backups.
func (f Folder) Backups() string { return f.path("backups") }

// Logs holds one file per run.
func (f Folder) Logs() string { return f.path("logs") }

// WriteFile replaces a file at once and readable by its owner alone: after a crash it is the old
// one or the new one.
func WriteFile(path string, data []byte) error {
	if err := renameio.WriteFile(path, data, privateFile, renameio.WithStaticPermissions(privateFile)); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// readIfAny returns nil where there is no file.
func readIfAny(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
