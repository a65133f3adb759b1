package bundle

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

// tree is the files of unpacked packages, by their path below the root.
type tree map[string]tarEntry

// merged are the folders that Debian keeps below /usr now.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// errLostFile is a file that a userland needs and its packages do not hold.
var errLostFile = errors.New("no package of the userland holds it")

// unpack reads the contents of the packages in dir.
func unpack(ctx context.Context, dir string) (tree, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return nil, err
	}
	t := tree{}
	for _, file := range files {
		var content bytes.Buffer
		cmd := proc.Command{Args: []string{"dpkg-deb", "--fsys-tarfile", file}}
		if err := cmd.Stream(ctx, &content); err != nil {
			return nil, err
		}
		if err := t.read(&content); err != nil {
			return nil, fmt.Errorf("unpacking %s: %w", filepath.Base(file), err)
		}
	}
	return t, nil
}

func (t tree) read(r io.Reader) error {
	for in := tar.NewReader(r); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		e := tarEntry{name: merge(header.Name), mode: header.Mode & 0o7777}
		switch header.Typeflag {
		case tar.TypeReg:
			if e.data, err = io.ReadAll(in); err != nil {
				return err
			}
		case tar.TypeSymlink:
			e.link = header.Linkname
		case tar.TypeLink:
			e = t[merge(header.Linkname)]
			e.name = merge(header.Name)
		default:
			continue
		}
		t[e.name] = e
	}
}

// merge maps a path of a package to where the merged /usr has it.
func merge(name string) string {
	name = strings.TrimPrefix(path.Clean("/"+name), "/")
	first, _, _ := strings.Cut(name, "/")
	if slices.Contains(merged, first) && first != name {
		return "usr/" + name
	}
	return name
}

// cut returns the files that match the userland's patterns, with all that they are linked with.
func (t tree) cut(u Userland) ([]tarEntry, error) {
	names := slices.Sorted(maps.Keys(t))
	taken := map[string]tarEntry{}
	for _, pattern := range u.Files {
		found := false
		for _, name := range names {
			match, err := path.Match(pattern, name)
			if err != nil {
				return nil, fmt.Errorf("matching %s: %w", pattern, err)
			}
			if match {
				found = true
				if err := t.take(name, taken); err != nil {
					return nil, err
				}
			}
		}
		if !found {
			return nil, fmt.Errorf("taking %s into %s: %w", pattern, u.Name, errLostFile)
		}
	}
	entries := slices.Collect(maps.Values(taken))
	for name, target := range u.Links {
		entries = append(entries, tarEntry{name: name, link: target, mode: 0o777})
	}
	for _, name := range merged {
		entries = append(entries, tarEntry{name: name, link: "usr/" + name, mode: 0o777})
	}
	// A link without its target is valid, but confuses.
	for _, name := range merged {
		entries = append(entries, tarEntry{name: "usr/" + name + "/", mode: 0o755})
	}
	return entries, nil
}

// take adds one file, what it points at and the libraries it needs.
func (t tree) take(name string, taken map[string]tarEntry) error {
	if _, ok := taken[name]; ok {
		return nil
	}
	e, ok := t[name]
	if !ok {
		return fmt.Errorf("taking %s: %w", name, errLostFile)
	}
	taken[name] = e
	if e.link != "" {
		target := e.link
		if !path.IsAbs(target) {
			target = path.Join(path.Dir(name), target)
		}
		return t.take(merge(target), taken)
	}
	if !bytes.HasPrefix(e.data, []byte(elf.ELFMAG)) {
		return nil
	}
	needs, err := t.needs(e)
	if err != nil {
		return fmt.Errorf("reading what %s needs: %w", name, err)
	}
	for _, need := range needs {
		if err := t.take(need, taken); err != nil {
			return err
		}
	}
	return nil
}

// needs lists the loader and the libraries of a program.
func (t tree) needs(e tarEntry) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(e.data))
	if err != nil {
		return nil, err
	}
	var needs []string
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			raw, err := io.ReadAll(p.Open())
			if err != nil {
				return nil, err
			}
			needs = append(needs, merge(strings.TrimRight(string(raw), "\x00")))
		}
	}
	libraries, err := f.ImportedLibraries()
	if err != nil {
		return nil, err
	}
	folders, err := searchPath(f, e.name)
	if err != nil {
		return nil, err
	}
	for _, library := range libraries {
		found, ok := t.library(library, folders)
		if !ok {
			return nil, fmt.Errorf("%s: %w", library, errLostFile)
		}
		needs = append(needs, found)
	}
	return needs, nil
}

// searchPath is where the loader looks for a program's libraries.
func searchPath(f *elf.File, name string) ([]string, error) {
	var folders []string
	for _, tag := range []elf.DynTag{elf.DT_RPATH, elf.DT_RUNPATH} {
		values, err := f.DynString(tag)
		if err != nil {
			return nil, err
		}
		for _, value := range values {
			for folder := range strings.SplitSeq(value, ":") {
				folder = strings.ReplaceAll(folder, "$ORIGIN", "/"+path.Dir(name))
				folders = append(folders, merge(folder+"/x"))
			}
		}
	}
	for i, folder := range folders {
		folders[i] = path.Dir(folder)
	}
	triplet := map[elf.Machine]string{
		elf.EM_X86_64: "x86_64-linux-gnu", elf.EM_AARCH64: "aarch64-linux-gnu",
	}[f.Machine]
	return append(folders, "usr/lib/"+triplet, "usr/lib", "usr/lib64"), nil
}

func (t tree) library(name string, folders []string) (string, bool) {
	for _, folder := range folders {
		if _, ok := t[path.Join(folder, name)]; ok {
			return path.Join(folder, name), true
		}
	}
	return "", false
}
