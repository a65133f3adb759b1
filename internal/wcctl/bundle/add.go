package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// NewImage is an image that a bundle shall hold from now on.
type NewImage struct {
	Ref string
	// Component is what it belongs to, of this version.
	Component, Version string
	Image              v1.Image
}

// Add puts images into the bundle, in place of those of the same names, and tells whether that changed
// anything. Whoever opens the bundle finds the old one or the new one, even after a killed run.
func Add(ctx context.Context, dir string, images []NewImage) (changed bool, err error) {
	lock := flock.New(beside(dir, "lock"))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return false, fmt.Errorf("waiting for another wcctl that adds to the bundle: %w", err)
	}
	defer func() { _ = lock.Close() }()
	old, err := Open(dir)
	if err != nil {
		return false, err
	}
	a := &adder{old: old, dir: beside(dir, "partial"), lock: old.lock}
	if has, err := a.hasAll(images); has || err != nil {
		return false, err
	}
	if err := os.RemoveAll(a.dir); err != nil {
		return false, fmt.Errorf("removing what a killed run left: %w", err)
	}
	defer func() { _ = os.RemoveAll(a.dir) }()
	if err := a.make(ctx, images); err != nil {
		return false, err
	}
	return true, exchange(old.dir, a.dir)
}

// adder makes a bundle out of another one, whose files it shares.
type adder struct {
	old *Bundle
	dir string
	// lock is what the new bundle holds.
	lock      Lock
	manifests []v1.Descriptor
}

// hasAll tells whether the bundle holds exactly these images already.
func (a *adder) hasAll(images []NewImage) (bool, error) {
	for _, i := range images {
		config, err := i.Image.ConfigFile()
		if err != nil {
			return false, fmt.Errorf("reading %s: %w", i.Ref, err)
		}
		if config.Architecture != a.lock.Architecture {
			return false, fmt.Errorf("%s is for %s, but the bundle for %s",
				i.Ref, config.Architecture, a.lock.Architecture)
		}
		digest, err := i.Image.Digest()
		if err != nil {
			return false, fmt.Errorf("reading %s: %w", i.Ref, err)
		}
		if a.old.manifests[i.Ref].Digest != digest {
			return false, nil
		}
	}
	return true, nil
}

func (a *adder) make(ctx context.Context, images []NewImage) error {
	a.lock.Images, a.lock.Components = slices.Clone(a.lock.Images), slices.Clone(a.lock.Components)
	a.lock.Files = nil
	replaced := map[string]bool{}
	for _, i := range images {
		replaced[i.Ref] = true
	}
	keep, err := a.keptBlobs(replaced)
	if err != nil {
		return err
	}
	for _, f := range a.old.lock.Files {
		switch in := strings.HasPrefix(f.Path, imagesFolder+"/"); {
		case in && !keep[f.Path]:
			continue
		case ctx.Err() != nil:
			return ctx.Err()
		}
		if err := shareFile(a.old.path(f.Path), filepath.Join(a.dir, f.Path)); err != nil {
			return err
		}
		a.lock.Files = append(a.lock.Files, f)
	}
	for _, i := range images {
		if err := a.add(i); err != nil {
			return fmt.Errorf("adding %s: %w", i.Ref, err)
		}
	}
	return a.finish()
}

// keptBlobs are the blobs that other images than the replaced ones are made of.
func (a *adder) keptBlobs(replaced map[string]bool) (map[string]bool, error) {
	keep := map[string]bool{imagesFolder + "/" + layoutName: true}
	for _, i := range a.old.lock.Images {
		if replaced[i.Ref] {
			continue
		}
		descriptor := a.old.manifests[i.Ref]
		a.manifests = append(a.manifests, descriptor)
		raw, err := os.ReadFile(a.old.blob(descriptor.Digest))
		if err != nil {
			return nil, fmt.Errorf("reading the bundle's image %s: %w", i.Ref, err)
		}
		var manifest v1.Manifest
		if err := json.Unmarshal(raw, &manifest); err != nil {
			return nil, fmt.Errorf("reading the bundle's image %s: %w", i.Ref, err)
		}
		for _, part := range append(manifest.Layers, manifest.Config, descriptor) {
			keep[blobName(part.Digest)] = true
		}
	}
	return keep, nil
}

// add writes an image's blobs and notes it in the lock.
func (a *adder) add(i NewImage) error {
	manifest, err := i.Image.Manifest()
	if err != nil {
		return err
	}
	raw, err := i.Image.RawManifest()
	if err != nil {
		return err
	}
	config, err := i.Image.RawConfigFile()
	if err != nil {
		return err
	}
	digest, err := i.Image.Digest()
	if err != nil {
		return err
	}
	err = errors.Join(a.write(digest, strings.NewReader(string(raw))),
		a.write(manifest.Config.Digest, strings.NewReader(string(config))))
	if err != nil {
		return err
	}
	size := int64(len(raw)) + manifest.Config.Size
	layers, err := i.Image.Layers()
	if err != nil {
		return err
	}
	for n, l := range manifest.Layers {
		content, err := layers[n].Compressed()
		if err != nil {
			return err
		}
		if err := errors.Join(a.write(l.Digest, content), content.Close()); err != nil {
			return err
		}
		size += l.Size
	}
	a.manifests = append(a.manifests, v1.Descriptor{
		MediaType: manifest.MediaType, Digest: digest, Size: int64(len(raw)),
		Platform:    &v1.Platform{OS: "linux", Architecture: a.lock.Architecture},
		Annotations: map[string]string{annotationRef: i.Ref, annotationContainerd: i.Ref},
	})
	a.note(i, LockedImage{Ref: i.Ref, Digest: digest.String(), Component: i.Component, Size: size})
	return nil
}

// note puts the image and its component into the lock, in place of older ones.
func (a *adder) note(i NewImage, image LockedImage) {
	a.lock.Images = slices.DeleteFunc(a.lock.Images, func(l LockedImage) bool { return l.Ref == i.Ref })
	a.lock.Images = append(a.lock.Images, image)
	a.lock.Components = slices.DeleteFunc(a.lock.Components, func(c LockedComponent) bool {
		return c.Name == i.Component
	})
	a.lock.Components = append(a.lock.Components, LockedComponent{
		Name: i.Component, Version: i.Version, Built: "wcctl build",
	})
}

// write adds a blob; images share those that they have in common.
func (a *adder) write(h v1.Hash, content io.Reader) error {
	name := blobName(h)
	if slices.ContainsFunc(a.lock.Files, func(d Digest) bool { return d.Path == name }) {
		return nil
	}
	path := filepath.Join(a.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	size, err := io.Copy(out, content)
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	a.lock.Files = append(a.lock.Files, Digest{Path: name, Size: size, SHA256: h.Hex})
	return nil
}

// finish writes the index and the lock.
func (a *adder) finish() error {
	files := map[string]any{imagesFolder + "/" + indexName: v1.IndexManifest{
		SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: a.manifests,
	}}
	if layout := imagesFolder + "/" + layoutName; len(a.old.lock.Images) == 0 {
		files[layout] = map[string]string{"imageLayoutVersion": "1.0.0"}
	}
	for name, content := range files {
		if err := writeJSON(filepath.Join(a.dir, name), content); err != nil {
			return err
		}
		digest, err := digestFile(filepath.Join(a.dir, name))
		if err != nil {
			return err
		}
		digest.Path = name
		a.lock.Files = append(a.lock.Files, digest)
	}
	slices.SortFunc(a.lock.Files, func(x, y Digest) int { return strings.Compare(x.Path, y.Path) })
	return writeJSON(filepath.Join(a.dir, LockName), a.lock)
}

// shareFile makes the file appear at target, too; where the file system cannot, it is a copy.
func shareFile(source, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), folderMode); err != nil {
		return fmt.Errorf("making the bundle's folder: %w", err)
	}
	if os.Link(source, target) == nil {
		return nil
	}
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("copying the bundle: %w", err)
	}
	_, err = copyFile(source, target, info.Mode())
	return err
}
