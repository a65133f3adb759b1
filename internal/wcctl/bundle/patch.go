package bundle

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// errForeign is a download that is not what versions.yaml says.
var errForeign = errors.New("it is not what versions.yaml says")

// patch makes the folder that go.mod replaces a module by: our files are in it, and the module's
// own are added.
func (m module) patch(ctx context.Context, name string, p Patch) error {
	// The module's own go.mod would take the replacement, which is not there yet.
	elsewhere, remove, err := emptyModule(m.build, m.env)
	if err != nil {
		return err
	}
	defer remove()
	source, err := elsewhere.fetch(ctx, name, "v"+p.Version)
	if err != nil {
		return err
	}
	if source.Sum != p.Sum {
		return fmt.Errorf("copying %s: its sum is %s: %w", name, source.Sum, errForeign)
	}
	return walkFiles(source.Dir, func(file string, _ fs.FileInfo) error {
		if strings.HasSuffix(file, "_test.go") {
			return nil
		}
		_, err := copyFile(filepath.Join(source.Dir, file), filepath.Join(m.path(p.Folder), file), fileMode)
		if errors.Is(err, fs.ErrExist) {
			return nil
		}
		return err
	})
}

// emptyModule is where go knows nothing of other modules; without it, a go.mod above might be taken.
func emptyModule(build *Build, env []string) (m module, remove func(), err error) {
	dir, err := os.MkdirTemp("", "wcctl-module-")
	if err != nil {
		return module{}, nil, fmt.Errorf("making a folder for a module: %w", err)
	}
	remove = func() { _ = os.RemoveAll(dir) }
	m = module{dir: dir, build: build, env: env}
	if err := os.WriteFile(m.path("go.mod"), []byte("module wastecoach.io/empty\n"), fileMode); err != nil {
		remove()
		return module{}, nil, fmt.Errorf("making a folder for a module: %w", err)
	}
	return m, remove, nil
}

// takeSource writes a file of a module under the name that it has in the bundle. Where its checksum
// is known, it has to be that.
func (p programs) takeSource(ctx context.Context, c Component, f File, out string) error {
	m, remove, err := emptyModule(c.Build, p.env())
	if err != nil {
		return err
	}
	defer remove()
	source, err := m.locate(ctx, f.Source)
	if err != nil {
		return err
	}
	digest, err := copyFile(source, filepath.Join(out, f.fileName()), fileMode)
	if err != nil {
		return err
	}
	if digest.SHA256 != f.Checksum {
		return fmt.Errorf("taking %s: its SHA-256 is %s: %w", f.Source, digest.SHA256, errForeign)
	}
	return nil
}
