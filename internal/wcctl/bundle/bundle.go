package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// annotationRef is the reference of an image in an OCI layout's index.
const annotationRef = "org.opencontainers.image.ref.name"

// annotationContainerd is the same for `ctr images import`.
const annotationContainerd = "io.containerd.image.name"

// ErrNotBundle is a folder without a lock.
var ErrNotBundle = errors.New("not a bundle")

// Bundle is an opened bundle. What is in its files is only known after Verify.
type Bundle struct {
	dir  string
	lock Lock
	// manifests are the images' descriptors by reference.
	manifests map[string]v1.Descriptor
}

// Open reads a bundle's lock and index.
func Open(dir string) (*Bundle, error) {
	lock, err := readLock(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is %w: it has no %s", dir, ErrNotBundle, LockName)
	}
	if err != nil {
		return nil, err
	}
	b := &Bundle{dir: dir, lock: lock, manifests: map[string]v1.Descriptor{}}
	raw, err := os.ReadFile(b.path(imagesFolder, indexName))
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil // Verify says so if the lock wants it
	}
	if err != nil {
		return nil, fmt.Errorf("opening the bundle: %w", err)
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, fmt.Errorf("reading the bundle's image index: %w", err)
	}
	for _, m := range index.Manifests {
		b.manifests[m.Annotations[annotationRef]] = m
	}
	return b, nil
}

// Dir is the bundle's folder.
func (b *Bundle) Dir() string { return b.dir }

// Lock is what the bundle holds.
func (b *Bundle) Lock() Lock { return b.lock }

// File finds a file that machines download, by its name below files/.
func (b *Bundle) File(name string) (Digest, bool) {
	i := slices.IndexFunc(b.lock.Files, func(d Digest) bool { return d.Path == filesFolder+"/"+name })
	if i < 0 {
		return Digest{}, false
	}
	return b.lock.Files[i], true
}

// Path is where the file with that name below files/ is on this machine.
func (b *Bundle) Path(name string) string { return b.path(filesFolder, name) }

// Size is the sum of all files.
func (b *Bundle) Size() int64 {
	var sum int64
	for _, f := range b.lock.Files {
		sum += f.Size
	}
	return sum
}

// HasImage tells whether the lock names the image with that reference.
func (b *Bundle) HasImage(ref string) bool {
	return slices.ContainsFunc(b.lock.Images, func(i LockedImage) bool { return i.Ref == ref })
}

func (b *Bundle) path(elements ...string) string {
	return filepath.Join(append([]string{b.dir}, elements...)...)
}

func (b *Bundle) blob(h v1.Hash) string {
	return b.path(imagesFolder, "blobs", h.Algorithm, h.Hex)
}
