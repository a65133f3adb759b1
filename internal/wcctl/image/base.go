package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

const (
	// nonRoot is the user of every image; Kubernetes accepts only numbers as proof.
	nonRoot = "65532:65532"

	certificates = "etc/ssl/certs/ca-certificates.crt"
)

// minimal is a base of our own: users, certificates, /tmp. Zone data is in the programs.
func minimal(created time.Time) (v1.Image, error) {
	layer, err := pack([]file{
		{name: "etc/group", mode: 0o644, data: []byte("root:x:0:\nnonroot:x:65532:\n")},
		{name: "etc/passwd", mode: 0o644, data: []byte("root:x:0:0:root:/root:/sbin/nologin\n" +
			"nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")},
		{name: certificates, mode: 0o644, data: rootCertificates()},
		{name: "tmp/", mode: 0o1777},
	})
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: created}, CreatedBy: "wcctl build"},
	})
	if err != nil {
		return nil, fmt.Errorf("making the base: %w", err)
	}
	image, err = mutate.Config(image, v1.Config{Env: []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "SSL_CERT_FILE=/" + certificates,
	}})
	if err != nil {
		return nil, fmt.Errorf("making the base: %w", err)
	}
	return image, nil
}

// rootCertificates are those of Mozilla's program that are trusted without conditions, as a file
// cannot hold conditions.
func rootCertificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a Buffer takes all
		}
	}
	return out.Bytes()
}

// file is an entry of a layer; a folder's name ends with a slash.
type file struct {
	name string
	mode int64
	// path is where the content is, or data holds it.
	path string
	data []byte
}

// pack makes a layer of the files, which are sorted by name. Its bytes depend on nothing else.
func pack(files []file) (v1.Layer, error) {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	if err != nil {
		return nil, fmt.Errorf("packing a layer: %w", err)
	}
	t := tar.NewWriter(z)
	known := map[string]bool{}
	for _, f := range files {
		if err = writeFolders(t, known, path.Dir(f.name)); err == nil {
			err = writeFile(t, f)
		}
		if err != nil {
			break
		}
	}
	if err := errors.Join(err, t.Close(), z.Close()); err != nil {
		return nil, fmt.Errorf("packing a layer: %w", err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed.Bytes())), nil
	}, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		return nil, fmt.Errorf("packing a layer: %w", err)
	}
	return layer, nil
}

func writeFolders(t *tar.Writer, known map[string]bool, dir string) error {
	if dir == "." || known[dir] {
		return nil
	}
	known[dir] = true
	if err := writeFolders(t, known, path.Dir(dir)); err != nil {
		return err
	}
	return writeFile(t, file{name: dir + "/", mode: 0o755})
}

func writeFile(t *tar.Writer, f file) error {
	header := &tar.Header{
		Name: f.name, Mode: f.mode, ModTime: time.Unix(0, 0), Format: tar.FormatPAX, Typeflag: tar.TypeReg,
		Size: int64(len(f.data)),
	}
	var content io.Reader = bytes.NewReader(f.data)
	if f.name[len(f.name)-1] == '/' {
		header.Typeflag = tar.TypeDir
	}
	if f.path != "" {
		opened, err := os.Open(f.path)
		if err != nil {
			return err
		}
		defer opened.Close()
		info, err := opened.Stat()
		if err != nil {
			return err
		}
		header.Size, content = info.Size(), opened
	}
	if err := t.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(t, content)
	return err
}
