package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// ErrOccupied is an output folder that holds something else than a bundle.
var ErrOccupied = errors.New("it is neither empty nor a bundle")

// assemble copies the parts into a new folder and puts that in the output's place.
func (m *maker) assemble(ctx context.Context) error {
	if err := replaceable(m.Output); err != nil {
		return err
	}
	dir := beside(m.Output, "partial")
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing what a killed run left: %w", err)
	}
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("making the bundle's folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	lock := Lock{
		Format: lockFormat, Kubernetes: m.Recipe.Kubernetes, Architecture: m.Recipe.Architecture,
		Distribution: m.Recipe.Packages.Distribution,
	}
	for _, part := range []func(string, *Lock) error{
		m.putFiles, m.putExtra, m.putImages, m.putPackages, m.putDigests,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := part(dir, &lock); err != nil {
			return err
		}
	}
	if err := writeJSON(filepath.Join(dir, LockName), lock); err != nil {
		return err
	}
	return replace(m.Output, dir)
}

// replaceable makes sure that nothing else is lost with the old folder.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the output folder: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, LockName)); err != nil {
		return fmt.Errorf("writing the bundle to %s: %w", dir, ErrOccupied)
	}
	return nil
}

// beside is a hidden name next to target, on the same file system.
func beside(target, what string) string {
	target = filepath.Clean(target)
	return filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+"."+what)
}

// replace puts dir in target's place.
func replace(target, dir string) error {
	old := beside(target, "old")
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("removing what a killed run left: %w", err)
	}
	err := os.Rename(target, old)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("moving the old bundle away: %w", err)
	}
	if err := os.Rename(dir, target); err != nil {
		return errors.Join(fmt.Errorf("putting the bundle in its place: %w", err), os.Rename(old, target))
	}
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("removing the old bundle: %w", err)
	}
	return nil
}

// putFiles copies what machines download and notes how all was built.
func (m *maker) putFiles(dir string, lock *Lock) error {
	for _, c := range m.Recipe.Components {
		if c.Build == nil {
			continue
		}
		lock.Components = append(lock.Components, LockedComponent{
			Name: c.Name, Version: c.Version, Modules: c.Build.Modules, Tests: c.Group == Tests,
			Built: c.Build.describe(m.goVersion, m.Recipe.Architecture),
		})
		for _, f := range c.Files {
			name := f.fileName()
			source, part, mode := m.packed[f.Name], name, fileMode
			if f.Program != "" {
				source, part, mode = m.programs[c.Name], f.Program, executable
			}
			if err := source.copyTo(part, filepath.Join(dir, filesFolder, name), mode); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *maker) putExtra(dir string, _ *Lock) error {
	for _, name := range slices.Sorted(maps.Keys(m.Extra)) {
		if name != path.Base(name) || strings.HasPrefix(name, ".") {
			return fmt.Errorf("adding %s: the name of a file in the bundle has no folder", name)
		}
		target := filepath.Join(dir, filesFolder, name)
		if _, err := copyFile(m.Extra[name], target, fileMode); err != nil {
			return fmt.Errorf("adding %s: %w", name, err)
		}
	}
	return nil
}

// putImages writes one OCI layout of all images.
func (m *maker) putImages(dir string, lock *Lock) error {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	root := filepath.Join(dir, imagesFolder)
	for _, c := range m.Recipe.Components {
		for _, i := range c.Images {
			r, ok := m.images[i.Ref]
			if !ok {
				continue
			}
			descriptor, size, err := putImage(r, filepath.Join(root, "blobs", "sha256"))
			if err != nil {
				return fmt.Errorf("adding the image %s: %w", i.Ref, err)
			}
			descriptor.Annotations = map[string]string{
				annotationRef: i.Ref, annotationContainerd: i.Ref,
			}
			index.Manifests = append(index.Manifests, descriptor)
			lock.Images = append(lock.Images, LockedImage{
				Ref: i.Ref, Digest: descriptor.Digest.String(), Component: c.Name, Size: size,
			})
		}
	}
	if len(index.Manifests) == 0 {
		return nil
	}
	if err := writeJSON(filepath.Join(root, indexName), index); err != nil {
		return err
	}
	return writeJSON(filepath.Join(root, layoutName),
		map[string]string{"imageLayoutVersion": "1.0.0"})
}

// putImage copies an image's blobs; images share the blobs that they have in common.
func putImage(r result, blobs string) (v1.Descriptor, int64, error) {
	raw, err := os.ReadFile(r.path(descriptorName))
	if err != nil {
		return v1.Descriptor{}, 0, err
	}
	var descriptor v1.Descriptor
	if err := json.Unmarshal(raw, &descriptor); err != nil {
		return v1.Descriptor{}, 0, fmt.Errorf("reading its descriptor: %w", err)
	}
	var size int64
	for _, f := range r.files {
		if f.Path == descriptorName {
			continue
		}
		size += f.Size
		err := r.copyTo(f.Path, filepath.Join(blobs, f.Path), fileMode)
		if err != nil && !errors.Is(err, os.ErrExist) {
			return v1.Descriptor{}, 0, err
		}
	}
	return descriptor, size, nil
}

func (m *maker) putPackages(dir string, lock *Lock) error {
	if len(m.packages.files) == 0 {
		return nil
	}
	for _, f := range m.packages.files {
		if err := m.packages.copyTo(f.Path, filepath.Join(dir, debsFolder, f.Path), fileMode); err != nil {
			return err
		}
	}
	index, err := os.Open(filepath.Join(dir, debsFolder, packagesName))
	if err != nil {
		return fmt.Errorf("reading the package index: %w", err)
	}
	defer index.Close()
	lock.Packages, err = parseIndex(index)
	return err
}

func (m *maker) putDigests(dir string, lock *Lock) (err error) {
	lock.Files, err = digestTree(dir)
	return err
}
