package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// Fault is one thing that is wrong with a bundle.
type Fault struct {
	// Path is slash-separated and below the bundle's folder.
	Path string `json:"path"`
	Text string `json:"text"`
}

// FaultsError is all that Verify found.
type FaultsError struct{ Faults []Fault }

// Error implements error.
func (e *FaultsError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Path + ": " + f.Text
	}
	return fmt.Sprintf("the bundle has %d faults:\n%s", len(lines), strings.Join(lines, "\n"))
}

// verifiers is how many files are read at once.
const verifiers = 4

// Verify reads the whole bundle and returns a *FaultsError with all that is wrong: a file that is
// missing, changed or not in the lock, an image without one of its blobs, a package index that does
// not fit.
func (b *Bundle) Verify(ctx context.Context) error {
	present, err := b.list()
	if err != nil {
		return err
	}
	faults := b.checkNames(present)
	changed, err := b.checkDigests(ctx, present)
	if err != nil {
		return err
	}
	faults = append(faults, changed...)
	faults = append(faults, b.checkImages(present)...)
	indexed, err := b.checkPackages(present)
	if err != nil {
		return err
	}
	faults = append(faults, indexed...)
	if len(faults) == 0 {
		return nil
	}
	slices.SortStableFunc(faults, func(x, y Fault) int { return strings.Compare(x.Path, y.Path) })
	return &FaultsError{Faults: slices.Compact(faults)}
}

// list returns the sizes of the files that are there, the lock apart.
func (b *Bundle) list() (map[string]int64, error) {
	present := map[string]int64{}
	err := walkFiles(b.dir, func(name string, info os.FileInfo) error {
		if name != LockName {
			present[name] = info.Size()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the bundle: %w", err)
	}
	return present, nil
}

func (b *Bundle) checkNames(present map[string]int64) []Fault {
	var faults []Fault
	locked := map[string]bool{}
	for _, f := range b.lock.Files {
		locked[f.Path] = true
		if _, ok := present[f.Path]; !ok {
			faults = append(faults, Fault{f.Path, "is missing"})
		}
	}
	for name := range present {
		if !locked[name] {
			faults = append(faults, Fault{name, "is not in " + LockName})
		}
	}
	return faults
}

func (b *Bundle) checkDigests(ctx context.Context, present map[string]int64) ([]Fault, error) {
	found := make([]Fault, len(b.lock.Files))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(verifiers)
	for i, f := range b.lock.Files {
		size, ok := present[f.Path]
		if !ok {
			continue
		}
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if size != f.Size {
				found[i] = Fault{f.Path, fmt.Sprintf("has %d bytes instead of %d", size, f.Size)}
				return nil
			}
			got, err := digestFile(b.path(f.Path))
			if err != nil {
				return fmt.Errorf("verifying the bundle: %w", err)
			}
			if got.SHA256 != f.SHA256 {
				found[i] = Fault{f.Path, "was changed: its SHA-256 is not the one in " + LockName}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(f Fault) bool { return f == Fault{} }), nil
}

// checkImages follows every image of the lock from the index to its layers.
func (b *Bundle) checkImages(present map[string]int64) []Fault {
	var faults []Fault
	index := imagesFolder + "/" + indexName
	for _, i := range b.lock.Images {
		descriptor, ok := b.manifests[i.Ref]
		switch {
		case !ok:
			faults = append(faults, Fault{index, "does not name " + i.Ref})
			continue
		case descriptor.Digest.String() != i.Digest:
			faults = append(faults, Fault{index, i.Ref + " has another digest than in " + LockName})
		}
		faults = append(faults, b.checkImage(i.Ref, descriptor, present)...)
	}
	return faults
}

func (b *Bundle) checkImage(ref string, descriptor v1.Descriptor, present map[string]int64) []Fault {
	name := blobName(descriptor.Digest)
	raw, err := os.ReadFile(b.blob(descriptor.Digest))
	if err != nil {
		return []Fault{{name, "the manifest of " + ref + " is missing"}}
	}
	var manifest v1.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return []Fault{{name, "the manifest of " + ref + " cannot be read: " + err.Error()}}
	}
	var faults []Fault
	for _, part := range append([]v1.Descriptor{manifest.Config}, manifest.Layers...) {
		if size, ok := present[blobName(part.Digest)]; !ok {
			faults = append(faults, Fault{blobName(part.Digest), "a part of " + ref + " is missing"})
		} else if size != part.Size {
			faults = append(faults, Fault{blobName(part.Digest), "does not have the size that " + ref + " says"})
		}
	}
	return faults
}

// checkPackages compares apt's index with the lock and the files.
func (b *Bundle) checkPackages(present map[string]int64) ([]Fault, error) {
	index := debsFolder + "/" + packagesName
	f, err := os.Open(b.path(debsFolder, packagesName))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // a missing file was found already if the lock wants it
	}
	if err != nil {
		return nil, fmt.Errorf("verifying the bundle: %w", err)
	}
	defer f.Close()
	packages, err := parseIndex(f)
	if err != nil {
		return []Fault{{index, err.Error()}}, nil
	}
	locked := map[string]Digest{}
	for _, f := range b.lock.Files {
		locked[f.Path] = f
	}
	var faults []Fault
	indexed := map[string]bool{}
	for _, p := range packages {
		name := debsFolder + "/" + p.File
		indexed[name] = true
		if d := locked[name]; d.Size != p.size || d.SHA256 != p.sha256 {
			faults = append(faults, Fault{index, "says something else of " + p.File + " than " + LockName})
		}
	}
	for name := range present {
		if strings.HasPrefix(name, debsFolder+"/") && strings.HasSuffix(name, ".deb") && !indexed[name] {
			faults = append(faults, Fault{index, "does not name " + name})
		}
	}
	return faults, nil
}

func blobName(h v1.Hash) string {
	return imagesFolder + "/blobs/" + h.Algorithm + "/" + h.Hex
}
