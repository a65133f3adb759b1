package migrate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

const template = `-- +goose Up

-- +goose Down
`

var fileWords = regexp.MustCompile(`^[a-z][a-z0-9_]{0,80}$`)

// Create writes the next numbered, empty migration of a schema below dir and returns its path.
func Create(dir, schema, name string) (_ string, err error) {
	if _, err := known([]string{schema}); err != nil {
		return "", err
	}
	name = strings.ToLower(strings.NewReplacer(" ", "_", "-", "_").Replace(name))
	if !fileWords.MatchString(name) {
		return "", fmt.Errorf("%q is no name: use letters, digits and _, e.g. add_feedback", name)
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fmt.Errorf("there is no folder %s: run this at the top of the repository", dir)
	}
	files, err := versions(os.DirFS(dir), schema)
	if err != nil {
		return "", err
	}
	next := int64(1)
	for version := range files {
		next = max(next, version+1)
	}
	if err := os.MkdirAll(filepath.Join(dir, schema), 0o755); err != nil { //nolint:gosec // source code
		return "", fmt.Errorf("making the folder of schema %s: %w", schema, err)
	}
	path := filepath.Join(dir, schema, fmt.Sprintf("%04d_%s.sql", next, name))
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644) //nolint:gosec // source code
	if err != nil {
		return "", fmt.Errorf("writing a migration: %w", err)
	}
	_, err = file.WriteString(template)
	return path, errors.Join(err, file.Close())
}
