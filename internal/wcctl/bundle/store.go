package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The modes in a bundle and a cache: they hold no secret, and others may use them.
const (
	folderMode fs.FileMode = 0o755
	fileMode   fs.FileMode = 0o644
	executable fs.FileMode = 0o755
)

// store keeps what steps made, each result in a folder named by a hash of the step's inputs. A
// folder appears whole or not at all.
type store struct{ dir string }

// Digest is a file's name, size and SHA-256.
type Digest struct {
	// Path is slash-separated and relative.
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// result is what a step made.
type result struct {
	dir   string
	files []Digest
}

// errDamaged is a file that is no longer what the step wrote.
var errDamaged = errors.New("the cached file is damaged")

const recordName = "made.json"

// entry is the folder for the step with these inputs.
func (s store) entry(step string, inputs any) (string, error) {
	raw, err := json.Marshal(inputs)
	if err != nil {
		return "", fmt.Errorf("hashing the inputs of %s: %w", step, err)
	}
	sum := sha256.Sum256(raw)
	return filepath.Join(s.dir, step+"-"+hex.EncodeToString(sum[:8])), nil
}

// find returns the result in entry, if it is there.
func (s store) find(entry string) (result, bool) {
	raw, err := os.ReadFile(filepath.Join(entry, recordName))
	if err != nil {
		return result{}, false
	}
	r := result{dir: filepath.Join(entry, "out")}
	if json.Unmarshal(raw, &r.files) != nil {
		return result{}, false
	}
	for _, f := range r.files {
		info, err := os.Lstat(r.path(f.Path))
		if err != nil || info.Size() != f.Size {
			return result{}, false
		}
	}
	return r, true
}

// make lets work fill a folder, records what is in it and moves it to entry.
func (s store) make(
	ctx context.Context, entry string, work func(ctx context.Context, dir string) error,
) (result, error) {
	if err := os.MkdirAll(s.dir, folderMode); err != nil {
		return result{}, fmt.Errorf("making the cache: %w", err)
	}
	partial, err := os.MkdirTemp(s.dir, ".partial-")
	if err != nil {
		return result{}, fmt.Errorf("making a folder in the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(partial) }()
	out := filepath.Join(partial, "out")
	if err := errors.Join(os.Chmod(partial, folderMode), os.Mkdir(out, folderMode)); err != nil {
		return result{}, fmt.Errorf("making a folder in the cache: %w", err)
	}
	if err := work(ctx, out); err != nil {
		return result{}, err
	}
	files, err := digestTree(out)
	if err != nil {
		return result{}, err
	}
	if err := writeJSON(filepath.Join(partial, recordName), files); err != nil {
		return result{}, err
	}
	if err := os.RemoveAll(entry); err != nil {
		return result{}, fmt.Errorf("removing a damaged cache entry: %w", err)
	}
	if err := os.Rename(partial, entry); err != nil {
		return result{}, fmt.Errorf("keeping a result in the cache: %w", err)
	}
	return result{dir: filepath.Join(entry, "out"), files: files}, nil
}

func (r result) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

func (r result) digest(name string) (Digest, error) {
	i := slices.IndexFunc(r.files, func(d Digest) bool { return d.Path == name })
	if i < 0 {
		return Digest{}, fmt.Errorf("%s was not made in %s", name, r.dir)
	}
	return r.files[i], nil
}

// entry is a program of the result as it goes into a tar.
func (r result) entry(program, name string) (tarEntry, error) {
	d, err := r.digest(program)
	return tarEntry{name: name, mode: int64(executable), file: r.path(program), sha256: d.SHA256}, err
}

// copyTo copies one file and makes sure that it is still what the step made.
func (r result) copyTo(name, target string, mode fs.FileMode) error {
	want, err := r.digest(name)
	if err != nil {
		return err
	}
	got, err := copyFile(r.path(name), target, mode)
	if err != nil {
		return err
	}
	if got.SHA256 != want.SHA256 {
		return r.after(fmt.Errorf("%s: %w", r.path(name), errDamaged))
	}
	return nil
}

// after removes the result if err says that it is damaged.
func (r result) after(err error) error {
	if errors.Is(err, errDamaged) {
		return errors.Join(err, r.remove())
	}
	return err
}

// remove makes the step run again the next time.
func (r result) remove() error {
	if err := os.RemoveAll(filepath.Dir(r.dir)); err != nil {
		return fmt.Errorf("removing a damaged result: %w", err)
	}
	return nil
}

func copyFile(source, target string, mode fs.FileMode) (Digest, error) {
	in, err := os.Open(source)
	if err != nil {
		return Digest{}, fmt.Errorf("copying into the bundle: %w", err)
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(target), folderMode); err != nil {
		return Digest{}, fmt.Errorf("copying into the bundle: %w", err)
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return Digest{}, fmt.Errorf("copying into the bundle: %w", err)
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, hash), in)
	if err := errors.Join(err, out.Close()); err != nil {
		return Digest{}, fmt.Errorf("copying %s: %w", source, err)
	}
	return Digest{Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

// digestTree lists the regular files below dir, sorted by path.
func digestTree(dir string) ([]Digest, error) {
	files := []Digest{}
	err := walkFiles(dir, func(name string, _ fs.FileInfo) error {
		digest, err := digestFile(filepath.Join(dir, name))
		digest.Path = name
		files = append(files, digest)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", dir, err)
	}
	slices.SortFunc(files, func(a, b Digest) int { return strings.Compare(a.Path, b.Path) })
	return files, nil
}

// walkFiles visits the files below dir; their names are slash-separated and relative.
func walkFiles(dir string, visit func(name string, info fs.FileInfo) error) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file", path)
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return visit(filepath.ToSlash(rel), info)
	})
}

func digestFile(path string) (Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return Digest{}, err
	}
	defer f.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, f)
	if err != nil {
		return Digest{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return Digest{Size: n, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

// writeJSON writes a new file for people and programs to read.
func writeJSON(path string, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := os.WriteFile(path, append(raw, '\n'), fileMode); err != nil {
		return fmt.Errorf("writing the record: %w", err)
	}
	return nil
}

// sweep removes what killed runs left; nobody else uses the store now.
func (s store) sweep() error {
	for _, pattern := range []string{".partial-*", ".module-*"} {
		left, err := filepath.Glob(filepath.Join(s.dir, pattern))
		if err != nil {
			return err
		}
		for _, dir := range left {
			if err := os.RemoveAll(dir); err != nil {
				return fmt.Errorf("clearing the cache: %w", err)
			}
		}
	}
	return nil
}
