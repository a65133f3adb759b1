package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// DamagedError is a file that is no whole backup.
type DamagedError struct {
	File  string
	Cause error
}

// Error implements error.
func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %v", e.File, e.Cause) }

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Cause }

// archive is one that is read.
type archive struct {
	file     *os.File
	zipped   *gzip.Reader
	tar      *tar.Reader
	manifest Manifest
}

// open reads as far as the manifest.
func open(path string) (*archive, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading the backup: %w", err)
	}
	a := &archive{file: file}
	if err := a.begin(); err != nil {
		return nil, errors.Join(&DamagedError{path, err}, file.Close())
	}
	return a, nil
}

func (a *archive) begin() error {
	var err error
	if a.zipped, err = gzip.NewReader(bufio.NewReader(a.file)); err != nil {
		return err
	}
	a.tar = tar.NewReader(a.zipped)
	entry, err := a.tar.Next()
	if err != nil {
		return err
	}
	if entry.Name != manifestName {
		return fmt.Errorf("it begins with %s, not with %s", entry.Name, manifestName)
	}
	data, err := io.ReadAll(io.LimitReader(a.tar, manifestLimit))
	if err != nil {
		return err
	}
	a.manifest, err = parseManifest(data)
	return err
}

// Read returns what is known of a backup from its beginning.
func Read(path string) (Backup, error) {
	a, err := open(path)
	if err != nil {
		return Backup{}, err
	}
	info, err := a.file.Stat()
	if err = errors.Join(err, a.file.Close()); err != nil {
		return Backup{}, fmt.Errorf("reading the backup: %w", err)
	}
	return Backup{File: path, Bytes: info.Size(), Manifest: a.manifest}, nil
}

// Verify reads all of a backup: every file against the manifest, the whole against the sum beside it,
// and etcd's snapshot against the sum that etcd put at its end.
func Verify(path string) (Backup, error) {
	b, err := Read(path)
	if err != nil {
		return b, err
	}
	if b.SHA256, err = sumOf(path); err != nil {
		return b, err
	}
	a, err := open(path)
	if err != nil {
		return b, err
	}
	defer a.file.Close()
	if err := errors.Join(checkSum(path, b.SHA256), a.verify()); err != nil {
		return b, &DamagedError{path, err}
	}
	return b, nil
}

func sumOf(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading the backup: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return "", fmt.Errorf("reading the backup: %w", err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// checkSum compares with the file beside the archive, where that came along.
func checkSum(path, sum string) error {
	data, err := os.ReadFile(path + sumSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if want, _, _ := strings.Cut(string(data), " "); want != sum {
		return fmt.Errorf("its SHA-256 is %.12s…, not the %.12s… of %s", sum, want, filepath.Base(path+sumSuffix))
	}
	return nil
}

func (a *archive) verify() error {
	seen := map[string]bool{}
	for {
		entry, err := a.tar.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := a.verifyFile(entry); err != nil {
			return err
		}
		seen[entry.Name] = true
	}
	for name := range a.manifest.Files {
		if !seen[name] {
			return fmt.Errorf("%s is missing", name)
		}
	}
	// gzip's own checksum stands behind the tar's end.
	_, err := io.Copy(io.Discard, a.zipped)
	return err
}

func (a *archive) verifyFile(entry *tar.Header) error {
	want, named := a.manifest.Files[entry.Name]
	if !named || entry.Typeflag != tar.TypeReg || !filepath.IsLocal(entry.Name) {
		return fmt.Errorf("%s is not in its manifest", entry.Name)
	}
	sum, tail := sha256.New(), &snapshotSum{data: sha256.New()}
	into := io.Writer(sum)
	if entry.Name == SnapshotName {
		into = io.MultiWriter(sum, tail)
	}
	if _, err := io.Copy(into, a.tar); err != nil {
		return fmt.Errorf("reading %s: %w", entry.Name, err)
	}
	if hex.EncodeToString(sum.Sum(nil)) != want.SHA256 {
		return fmt.Errorf("%s has another content than its manifest says", entry.Name)
	}
	if entry.Name == SnapshotName && !tail.agrees() {
		return errors.New("etcd's snapshot does not agree with the sum at its end")
	}
	return nil
}

// snapshotSum checks what etcd appends to a snapshot: the SHA-256 of all that is before.
type snapshotSum struct {
	data hash.Hash
	last []byte
}

// Write implements io.Writer.
func (s *snapshotSum) Write(b []byte) (int, error) {
	s.last = append(s.last, b...)
	if extra := len(s.last) - sha256.Size; extra > 0 {
		s.data.Write(s.last[:extra])
		s.last = s.last[extra:]
	}
	return len(b), nil
}

func (s *snapshotSum) agrees() bool { return bytes.Equal(s.data.Sum(nil), s.last) }
