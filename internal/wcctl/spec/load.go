package spec

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const maxFileSize = 1 << 20

// Load reads the file at path, or stdin where path is "-", with defaults filled in and its key
// files' paths made absolute. The warnings come with the cluster; any other fault makes the error a
// *FaultsError that holds all of them.
func Load(path string, stdin io.Reader, releases Releases) (*Cluster, []Fault, error) {
	data, err := read(path, stdin)
	if err != nil {
		return nil, nil, err
	}
	c, faults := Check(data, filepath.Dir(path), releases)
	if Stops(faults) {
		return nil, faults, &FaultsError{File: path, Faults: faults}
	}
	return c, faults, nil
}

// Check parses data, fills in the defaults and validates. Folder is where relative paths start.
func Check(data []byte, folder string, releases Releases) (*Cluster, []Fault) {
	c, faults := Parse(data)
	Default(c, releases)
	for _, key := range c.keyFiles() {
		*key.value = expand(*key.value, folder)
	}
	return c, merge(faults, Validate(c, releases))
}

func read(path string, stdin io.Reader) ([]byte, error) {
	source := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		source = f
	}
	data, err := io.ReadAll(io.LimitReader(source, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxFileSize)
	}
	return data, nil
}

// merge leaves out what a fault of the shape has told already: the key or one above it could not be
// read, so its value is not the file's.
func merge(shape, values []Fault) []Fault {
	all := shape
	for _, v := range values {
		told := false
		for _, s := range shape {
			told = told || s.Path == "" || v.Path == s.Path || isBelow(v.Path, s.Path)
		}
		if !told {
			all = append(all, v)
		}
	}
	sortByLine(all)
	return all
}

func isBelow(path, above string) bool {
	rest, ok := strings.CutPrefix(path, above)
	return ok && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

type keyFile struct {
	path  string
	value *string
}

// keyFiles are the private keys that the file names.
func (c *Cluster) keyFiles() []keyFile {
	var files []keyFile
	add := func(path string, value *string) {
		if *value != "" {
			files = append(files, keyFile{path, value})
		}
	}
	add("spec.ssh.keyFile", &c.Spec.SSH.KeyFile)
	if c.Spec.SSH.Bastion != nil {
		add("spec.ssh.bastion.keyFile", &c.Spec.SSH.Bastion.KeyFile)
	}
	return files
}

// expand makes a path absolute: ~ is the home folder, and a relative one starts at folder.
func expand(path, folder string) string {
	if path == "~" || strings.HasPrefix(path, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return path
		}
		return filepath.Join(home, path[1:])
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(folder, path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
