package bundle

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// tarEntry is a file, a symbolic link or a folder in a tar.
type tarEntry struct {
	// name is slash-separated and relative; a folder's ends with a slash.
	name string
	mode int64
	link string
	// file is where the content is and sha256 what it must be, or data holds it.
	file   string
	sha256 string
	data   []byte
}

// writeTar writes a gzipped tar whose bytes depend on the entries alone. plain, which may be nil,
// receives the tar before compression.
func writeTar(w, plain io.Writer, entries []tarEntry) error {
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	var out io.Writer = packed
	if plain != nil {
		out = io.MultiWriter(packed, plain)
	}
	t := tar.NewWriter(out)
	for _, e := range withFolders(entries) {
		if err := writeTarEntry(t, e); err != nil {
			return fmt.Errorf("packing %s: %w", e.name, err)
		}
	}
	return errors.Join(t.Close(), packed.Close())
}

// withFolders sorts the entries and adds the folders above them.
func withFolders(entries []tarEntry) []tarEntry {
	all := map[string]tarEntry{}
	for _, e := range entries {
		all[e.name] = e
		for dir := path.Dir(strings.TrimSuffix(e.name, "/")); dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir+"/"]; !ok {
				all[dir+"/"] = tarEntry{name: dir + "/", mode: 0o755}
			}
		}
	}
	sorted := make([]tarEntry, 0, len(all))
	for _, e := range all {
		sorted = append(sorted, e)
	}
	slices.SortFunc(sorted, func(a, b tarEntry) int { return strings.Compare(a.name, b.name) })
	return sorted
}

func writeTarEntry(t *tar.Writer, e tarEntry) error {
	header := &tar.Header{Name: e.name, Mode: e.mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	var content io.Reader = strings.NewReader(string(e.data))
	switch {
	case strings.HasSuffix(e.name, "/"):
		header.Typeflag = tar.TypeDir
	case e.link != "":
		header.Typeflag, header.Linkname = tar.TypeSymlink, e.link
	case e.file != "":
		f, err := os.Open(e.file)
		if err != nil {
			return err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return err
		}
		header.Typeflag, header.Size, content = tar.TypeReg, info.Size(), f
	default:
		header.Typeflag, header.Size = tar.TypeReg, int64(len(e.data))
	}
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	hash := sha256.New()
	if _, err := io.Copy(io.MultiWriter(t, hash), content); err != nil {
		return err
	}
	if e.sha256 != "" && e.sha256 != hex.EncodeToString(hash.Sum(nil)) {
		return errDamaged
	}
	return nil
}
