package ansible

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// maxSocketDir leaves room for OpenSSH's names in the 108 bytes of a socket's address.
const maxSocketDir = 45

// closeTimeout bounds the end of the connections that are kept open.
const closeTimeout = 5 * time.Second

// socketDir is where connections are kept open: in the folder of the inventory, or in a short path
// that belongs to it. A later run finds and ends those of one that was killed.
func socketDir(work string) (string, error) {
	dir := filepath.Join(work, "ssh")
	if len(dir) > maxSocketDir {
		sum := sha256.Sum256([]byte(work))
		dir = filepath.Join(os.TempDir(), "wcctl-ssh-"+hex.EncodeToString(sum[:6]))
	}
	if err := os.Mkdir(dir, privateDir); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("making the folder of SSH connections: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", fmt.Errorf("making the folder of SSH connections: %w", err)
	}
	// Whoever owns it can use the connections, and others may write to the temporary folder.
	if !info.IsDir() || info.Mode().Perm() != privateDir || !ours(info) {
		return "", fmt.Errorf("the folder of SSH connections, %s, is not this user's alone", dir)
	}
	return dir, nil
}

func closeSockets(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("closing SSH connections: %w", err)
	}
	for _, entry := range entries {
		// The name after the options is not looked at, but there must be one.
		socket := filepath.Join(dir, entry.Name())
		_ = exec.CommandContext(ctx, "ssh", "-O", "exit", "-S", socket, "machine").Run()
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("closing SSH connections: %w", err)
	}
	return nil
}
