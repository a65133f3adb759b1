package localmachine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// lockFolder makes the folder and waits for the right to change it, which is had until the file is closed
// by each process that was given it. Whoever has it may remove the folder.
func lockFolder(dir string) (*os.File, error) {
	for {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("making folder %s: %w", dir, err)
		}
		file, err := os.Open(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed since it was made
		}
		if err != nil {
			return nil, fmt.Errorf("opening folder %s: %w", dir, err)
		}
		if err := flock(file, syscall.LOCK_EX); err != nil {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", dir, err), file.Close())
		}
		if isStill(file, dir) {
			return file, nil
		}
		_ = file.Close() // the folder was removed while we waited
	}
}

func isStill(file *os.File, path string) bool {
	held, err := file.Stat()
	if err != nil {
		return false
	}
	now, err := os.Stat(path)
	return err == nil && os.SameFile(held, now)
}

func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
