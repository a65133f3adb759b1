package bundle

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Package is one Debian package of a bundle.
type Package struct {
	Name         string `json:"name"`
	Version      string `json:"version"`
	Architecture string `json:"architecture"`
	// File is its name below debs/.
	File string `json:"file"`

	size   int64
	sha256 string
}

// longestField bounds a line of a package index.
const longestField = 1 << 20

// parseIndex reads a flat repository's Packages.
func parseIndex(r io.Reader) ([]Package, error) {
	var (
		list    []Package
		current Package
	)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longestField)
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if current != (Package{}) {
				list = append(list, current)
			}
			current = Package{}
			continue
		}
		key, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch key {
		case "Package":
			current.Name = value
		case "Version":
			current.Version = value
		case "Architecture":
			current.Architecture = value
		case "Filename":
			current.File = strings.TrimPrefix(value, "./")
		case "SHA256":
			current.sha256 = value
		case "Size":
			size, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("reading the size of %s: %w", current.Name, err)
			}
			current.size = size
		}
	}
	if current != (Package{}) {
		list = append(list, current)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the package index: %w", err)
	}
	return list, nil
}
