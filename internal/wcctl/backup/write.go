package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	// sumSuffix is of the file beside an archive that holds its SHA-256, as sha256sum prints it.
	sumSuffix = ".sha256"
	// manifestLimit bounds the manifest, in bytes.
	manifestLimit = 8 << 20
)

// writer makes an archive beside its final name and puts it there at the end.
type writer struct {
	path     string
	file     *os.File
	sum      hash.Hash
	buffered *bufio.Writer
	zipped   *gzip.Writer
	tar      *tar.Writer
	manifest Manifest
	added    map[string]bool
	done     bool
}

func newWriter(path string) (*writer, error) {
	_, err := os.Lstat(path)
	if err == nil {
		err = fs.ErrExist
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), tempPrefix(path)+"*") // readable by its owner alone
	if err != nil {
		return nil, fmt.Errorf("writing %s: %w", path, err)
	}
	w := &writer{path: path, file: file, sum: sha256.New(), added: map[string]bool{}}
	w.buffered = bufio.NewWriter(io.MultiWriter(file, w.sum))
	w.zipped = gzip.NewWriter(w.buffered)
	w.tar = tar.NewWriter(w.zipped)
	return w, nil
}

func tempPrefix(path string) string { return "." + filepath.Base(path) + "." }

func (w *writer) begin(m Manifest) error {
	w.manifest = m
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("writing %s: %w", w.path, err)
	}
	data = append(data, '\n')
	return w.entry(manifestName, privateMode, int64(len(data)), bytes.NewReader(data))
}

const privateMode = 0o600

// add copies a file that the manifest names, and compares it with what stands there.
func (w *writer) add(name string, mode int64, content io.Reader) error {
	want, named := w.manifest.Files[name]
	if !named {
		return fmt.Errorf("the machine sends %s, which was not announced", name)
	}
	sum := sha256.New()
	if err := w.entry(name, mode, want.Bytes, io.TeeReader(content, sum)); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 {
		return fmt.Errorf("%s came with another content than it has on the machine", name)
	}
	w.added[name] = true
	return nil
}

func (w *writer) entry(name string, mode, size int64, content io.Reader) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: mode & 0o777, Size: size,
		ModTime: w.manifest.At, Format: tar.FormatPAX,
	}
	err := w.tar.WriteHeader(header)
	if err == nil {
		_, err = io.Copy(w.tar, content)
	}
	if err == nil {
		err = w.tar.Flush()
	}
	if err != nil {
		return fmt.Errorf("writing %s of %s: %w", name, w.path, err)
	}
	return nil
}

// finish puts the archive and its sum under their names, on the disk, and returns its size in bytes.
func (w *writer) finish() (int64, error) {
	for name := range w.manifest.Files {
		if !w.added[name] {
			return 0, fmt.Errorf("the machine did not send %s", name)
		}
	}
	err := errors.Join(w.tar.Close(), w.zipped.Close(), w.buffered.Flush(), w.file.Sync())
	info, statErr := w.file.Stat()
	if err = errors.Join(err, statErr, w.file.Close()); err != nil {
		return 0, fmt.Errorf("writing %s: %w", w.path, err)
	}
	line := hex.EncodeToString(w.sum.Sum(nil)) + "  " + filepath.Base(w.path) + "\n"
	if err := os.WriteFile(w.path+sumSuffix, []byte(line), privateMode); err != nil {
		return 0, fmt.Errorf("writing %s: %w", w.path+sumSuffix, err)
	}
	if err := os.Rename(w.file.Name(), w.path); err != nil {
		return 0, fmt.Errorf("writing %s: %w", w.path, err)
	}
	w.done = true
	return info.Size(), syncDir(filepath.Dir(w.path))
}

// syncDir makes a new name last through a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// abandon leaves nothing of an archive that did not become whole.
func (w *writer) abandon() {
	if !w.done {
		_ = w.file.Close()
		_ = os.Remove(w.file.Name()) // the next backup removes it
	}
}
