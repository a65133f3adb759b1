package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/match"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// annotationRef is the name of an image in an OCI layout's index.
const annotationRef = "org.opencontainers.image.ref.name"

// remoteOptions log in as Docker's configuration says, and as anybody where it says nothing.
func remoteOptions(ctx context.Context, more ...remote.Option) []remote.Option {
	return append([]remote.Option{
		remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain),
		remote.WithUserAgent("wcctl"),
	}, more...)
}

// Push uploads the image to the registry that ref names; what is there already is not sent again.
func (i Image) Push(ctx context.Context, ref string) error {
	target, err := name.ParseReference(ref, name.StrictValidation)
	if err != nil {
		return fmt.Errorf("reading the image's name: %w", err)
	}
	if len(i.Parts) == 1 {
		err = remote.Write(target, i.Parts[0].Image, remoteOptions(ctx)...)
	} else {
		err = remote.WriteIndex(target, i.index(), remoteOptions(ctx)...)
	}
	if err != nil {
		return fmt.Errorf("pushing %s: %w", ref, err)
	}
	return nil
}

// Save puts the image into the OCI layout in dir, in place of one of the same name.
func (i Image) Save(dir, ref string) error {
	path, err := openLayout(dir)
	if err != nil {
		return err
	}
	options := []layout.Option{layout.WithAnnotations(map[string]string{annotationRef: ref})}
	same := match.Annotation(annotationRef, ref)
	if len(i.Parts) == 1 {
		options = append(options, layout.WithPlatform(i.Parts[0].Platform))
		err = path.ReplaceImage(i.Parts[0].Image, same, options...)
	} else {
		err = path.ReplaceIndex(i.index(), same, options...)
	}
	if err != nil {
		return fmt.Errorf("saving %s: %w", ref, err)
	}
	return nil
}

func openLayout(dir string) (layout.Path, error) {
	_, err := os.Stat(filepath.Join(dir, "index.json"))
	if err == nil {
		return layout.FromPath(dir)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("opening the layout: %w", err)
	}
	path, err := layout.Write(dir, mutate.IndexMediaType(empty.Index, types.OCIImageIndex))
	if err != nil {
		return "", fmt.Errorf("making the layout: %w", err)
	}
	return path, nil
}

// SaveSBOMs writes the bills of materials into dir.
func (i Image) SaveSBOMs(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // to be read by all
		return fmt.Errorf("making the folder of SBOMs: %w", err)
	}
	for _, p := range i.Parts {
		path := filepath.Join(dir, i.Service+"-"+p.Platform.Architecture+".spdx.json")
		if err := os.WriteFile(path, p.SBOM, 0o644); err != nil { //nolint:gosec // no secret, and for all to read
			return fmt.Errorf("writing an SBOM: %w", err)
		}
	}
	return nil
}

// ParsePlatform reads e.g. linux/arm64.
func ParsePlatform(text string) (v1.Platform, error) {
	p, err := v1.ParsePlatform(text)
	if err != nil {
		return v1.Platform{}, fmt.Errorf("reading the platform: %w", err)
	}
	if p.OS != "linux" || p.Architecture != "amd64" && p.Architecture != "arm64" || p.Variant != "" {
		return v1.Platform{}, fmt.Errorf("%q is neither linux/amd64 nor linux/arm64", text)
	}
	return *p, nil
}
