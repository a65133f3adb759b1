package bundle

import (
	"golang.org/x/sys/unix"
)

// exchange puts dir in target's place at once, and the old folder in dir's.
func exchange(target, dir string) error {
	err := unix.Renameat2(unix.AT_FDCWD, target, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE)
	if err != nil {
		return replace(target, dir) // a file system that cannot
	}
	return nil
}
