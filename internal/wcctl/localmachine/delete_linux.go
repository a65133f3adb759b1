package localmachine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Delete removes a machine with its disk; the last one takes the lab's network and the computer's
// changed settings with it. One that is not there is already deleted.
func (l *Lab) Delete(name string) error {
	if err := needRoot(); err != nil {
		return err
	}
	if err := ValidName(name); err != nil {
		return err
	}
	if _, err := os.Stat(l.dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	lock, err := lockFolder(l.path(name))
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := l.spec(name)
	if err != nil && !errors.Is(err, ErrUnknown) {
		return err
	}
	if err == nil {
		if err := l.dismantle(s); err != nil {
			return fmt.Errorf("deleting %s: %w", name, err)
		}
	}
	return l.forget(s, name)
}

// dismantle removes all of the machine but its folder, which still names what to remove.
func (l *Lab) dismantle(s Spec) error {
	if err := l.cut(s); err != nil {
		return err
	}
	if err := removeGroups(s.namespace()); err != nil {
		return err
	}
	return removeNetwork(s)
}

// forget removes the folder, and the lab with its last machine.
func (l *Lab) forget(s Spec, name string) error {
	lock, err := lockFolder(l.dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	others, err := l.specs()
	if err != nil {
		return err
	}
	if err := l.release(name); err != nil {
		return err
	}
	if s.Name != "" && len(others) == 1 {
		if err := l.dissolve(s); err != nil {
			return err
		}
	}
	// machine.json goes last: without it, a killed deletion could not be repeated.
	entries, err := os.ReadDir(l.path(name))
	if err != nil {
		return fmt.Errorf("reading the machine's folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() != specName {
			err = errors.Join(err, os.RemoveAll(l.path(name, e.Name())))
		}
	}
	if err = errors.Join(err, os.RemoveAll(l.path(name)), removeIfEmpty(l.dir)); err != nil {
		return fmt.Errorf("removing the folder of %s: %w", name, err)
	}
	return nil
}

// dissolve removes what the lab's machines shared.
func (l *Lab) dissolve(s Spec) error {
	if err := removeNamespace(s.labNamespace()); err != nil {
		return err
	}
	if err := unregister(s.Cluster); err != nil {
		return err
	}
	if err := os.Remove(l.path(reservedName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forgetting reserved ports: %w", err)
	}
	return nil
}
