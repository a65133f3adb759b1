package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

const lockName = "lock"

// Owner is the process that runs a stack.
type Owner struct {
	PID   int       `json:"pid"`
	Since time.Time `json:"since"`
	URL   string    `json:"url"`
}

// RunningError says that a data folder is in use.
type RunningError struct {
	Data  Folder
	Owner Owner
}

// Error implements error.
func (e *RunningError) Error() string {
	text := fmt.Sprintf("wcctl dev already runs on %s: process %d since %s", e.Data, e.Owner.PID,
		e.Owner.Since.Local().Format(time.DateTime))
	if e.Owner.URL != "" {
		text += ", " + e.Owner.URL
	}
	return text
}

// Lock is the right to use a data folder. It ends with the process in any case.
type Lock struct {
	file  *os.File
	owner Owner
}

// TakeLock returns a *RunningError when another process has it.
func TakeLock(data Folder) (*Lock, error) {
	file, err := os.OpenFile(data.path(lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock: %w", err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		owner, readErr := readOwner(file)
		return nil, errors.Join(&RunningError{Data: data, Owner: owner}, readErr, file.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the data folder: %w", err), file.Close())
	}
	l := &Lock{file: file, owner: Owner{PID: os.Getpid(), Since: time.Now().UTC()}}
	if err := l.tell(""); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return l, nil
}

// tell writes who we are for those who find the lock taken.
func (l *Lock) tell(url string) error {
	l.owner.URL = url
	data, err := json.Marshal(l.owner)
	if err == nil {
		err = errors.Join(l.file.Truncate(0), writeAt(l.file, append(data, '\n')))
	}
	if err != nil {
		return fmt.Errorf("writing the lock: %w", err)
	}
	return nil
}

func writeAt(file *os.File, data []byte) error {
	_, err := file.WriteAt(data, 0)
	return err
}

// Release gives the folder back.
func (l *Lock) Release() error { return l.file.Close() }

// FindOwner tells who runs a stack on the folder, if anybody does.
func FindOwner(data Folder) (Owner, bool, error) {
	file, err := os.Open(data.path(lockName))
	if errors.Is(err, fs.ErrNotExist) {
		return Owner{}, false, nil
	}
	if err != nil {
		return Owner{}, false, fmt.Errorf("opening the lock: %w", err)
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return Owner{}, false, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return Owner{}, false, fmt.Errorf("asking for the lock: %w", err)
	}
	owner, err := readOwner(file)
	return owner, true, err
}

func readOwner(file *os.File) (Owner, error) {
	var owner Owner
	data := make([]byte, 4096)
	n, _ := file.ReadAt(data, 0)
	if n == 0 {
		return owner, nil // it is about to be written
	}
	if err := json.Unmarshal(data[:n], &owner); err != nil {
		return owner, fmt.Errorf("reading the lock: %w", err)
	}
	return owner, nil
}
