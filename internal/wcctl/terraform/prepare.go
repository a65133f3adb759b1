package terraform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
)

const (
	variablesFile = "terraform.tfvars.json"
	// backendFile overrides the module's backend, by Terraform's rule for such names.
	backendFile = "backend_override.tf.json"
)

// S3Backend is where the state is kept besides this computer; the bucket must exist.
type S3Backend struct {
	Bucket string
	Key    string
	Region string
}

// Prepare fills dir with a module, its variables and its backend (nil keeps the state in dir).
// Each file is replaced at once or not at all; the state, the plugins and their lock file stay;
// configuration that the module no longer has is removed, and so are plans that nobody applied.
func Prepare(dir string, module fs.FS, variables map[string]any, backend *S3Backend) error {
	if err := prepare(dir, module, variables, backend); err != nil {
		return &Error{Act: "preparing " + dir, Cause: err}
	}
	return nil
}

func prepare(dir string, module fs.FS, variables map[string]any, backend *S3Backend) error {
	files, err := configuration(module)
	if err != nil {
		return err
	}
	if variables == nil {
		variables = map[string]any{}
	}
	if files[variablesFile], err = json.MarshalIndent(variables, "", "  "); err != nil {
		return fmt.Errorf("writing the variables: %w", err)
	}
	if bytes.Contains(files[variablesFile], []byte("PRIVATE KEY-----")) {
		return errors.New("a private key must not become a variable: Terraform would store it")
	}
	if files[backendFile], err = json.MarshalIndent(backendBlock(backend), "", "  "); err != nil {
		return fmt.Errorf("writing the backend: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := removeStale(dir, files); err != nil {
		return err
	}
	for name, content := range files {
		if err := replaceFile(filepath.Join(dir, filepath.FromSlash(name)), content); err != nil {
			return err
		}
	}
	return nil
}

// configuration reads the module without its tests and texts.
func configuration(module fs.FS) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := fs.WalkDir(module, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "tests":
			return fs.SkipDir
		case entry.IsDir(), strings.HasSuffix(name, ".tftest.hcl"), path.Ext(name) == ".md":
			return nil
		}
		files[name], err = fs.ReadFile(module, name)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	return files, nil
}

func backendBlock(b *S3Backend) map[string]any {
	backend := map[string]any{"local": map[string]any{}}
	if b != nil {
		backend = map[string]any{"s3": map[string]any{
			"bucket": b.Bucket, "key": b.Key, "region": b.Region,
			"use_lockfile": true, "encrypt": true,
		}}
	}
	return map[string]any{"terraform": map[string]any{"backend": backend}}
}

// removeStale deletes what terraform would load from dir and is not in files.
func removeStale(dir string, files map[string][]byte) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		_, wanted := files[entry.Name()]
		if wanted || entry.IsDir() || !isConfiguration(entry.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func isConfiguration(name string) bool {
	for _, suffix := range []string{".tf", ".tf.json", ".tfvars", ".tfvars.json", ".tfplan"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// replaceFile writes a file by renaming; one that is the same already is left alone.
func replaceFile(name string, content []byte) error {
	if old, err := os.ReadFile(name); err == nil && bytes.Equal(old, content) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	return renameio.WriteFile(name, content, 0o600)
}
