package pgserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

const (
	minMajor      = 14
	versionBudget = 10 * time.Second
)

// ErrNotFound is returned when no PostgreSQL server of a usable version is on this machine.
var ErrNotFound = errors.New("no PostgreSQL server, version 14 or newer, on this machine")

// Binaries is a folder with postgres and initdb.
type Binaries struct {
	Dir     string
	Version string
	Major   int
}

// Postgres is the path of the server program.
func (b Binaries) Postgres() string { return filepath.Join(b.Dir, "postgres") }

// Initdb is the path of the program that makes a data folder.
func (b Binaries) Initdb() string { return filepath.Join(b.Dir, "initdb") }

// Find looks in PATH, then in /usr/lib/postgresql/*/bin, newest first.
func Find() (Binaries, error) {
	return find(func(Binaries) bool { return true })
}

func find(fits func(Binaries) bool) (Binaries, error) {
	var tried []error
	for _, dir := range candidates() {
		b, err := Inspect(dir)
		switch {
		case err != nil:
			tried = append(tried, err)
		case b.Major < minMajor:
			tried = append(tried, fmt.Errorf("%s is version %s", b.Postgres(), b.Version))
		case fits(b):
			return b, nil
		}
	}
	return Binaries{}, errors.Join(append([]error{ErrNotFound}, tried...)...)
}

func candidates() []string {
	var dirs []string
	if path, err := exec.LookPath("postgres"); err == nil {
		// Distributions link postgres alone into PATH; its siblings stand beside the target.
		if target, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(target))
		}
	}
	installed, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return dirs
	}
	sort.Slice(installed, func(i, j int) bool { return folderMajor(installed[i]) > folderMajor(installed[j]) })
	for _, path := range installed {
		dirs = append(dirs, filepath.Dir(path))
	}
	return dirs
}

func folderMajor(path string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	return n
}

var versionPattern = regexp.MustCompile(`\(PostgreSQL\) ((\d+)[.\w]*)`)

// Inspect asks the programs of one folder for their version.
func Inspect(dir string) (Binaries, error) {
	b := Binaries{Dir: dir}
	if _, err := os.Stat(b.Initdb()); err != nil {
		return b, fmt.Errorf("looking for initdb beside %s: %w", b.Postgres(), err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), versionBudget)
	defer cancel()
	out, err := exec.CommandContext(ctx, b.Postgres(), "--version").Output()
	if err != nil {
		return b, fmt.Errorf("asking %s for its version: %w", b.Postgres(), err)
	}
	m := versionPattern.FindStringSubmatch(string(out))
	if m == nil {
		return b, fmt.Errorf("%s answered %q for its version", b.Postgres(), strings.TrimSpace(string(out)))
	}
	b.Version = m[1]
	b.Major, err = strconv.Atoi(m[2])
	return b, err
}
