// Package image makes the services' container images, without a container engine.
package image

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// Registry is the host in the names of our images; nothing has to answer there.
const Registry = "wastecoach.io"

// Ref is the name of a service's image below a registry's prefix.
func Ref(prefix, service, tag string) string { return prefix + "/" + service + ":" + tag }

// Options is which images are made, and of what.
type Options struct {
	// Source is the checkout, whose cmd/<service> are the programs.
	Source    string
	Services  []string
	Version   Version
	Platforms []v1.Platform
	// Base is the image that ours stand on; empty is one of certificates and users alone.
	Base string
	Sink event.Sink
}

// Image is a service's image for one platform or more.
type Image struct {
	Service string
	Parts   []Part
	Took    time.Duration
}

// Part is the image for one platform.
type Part struct {
	Platform v1.Platform
	Image    v1.Image
	// SBOM is SPDX in JSON; the image holds it, too.
	SBOM []byte
}

// Digest is what a registry will call it.
func (i Image) Digest() (v1.Hash, error) {
	if len(i.Parts) == 1 {
		return i.Parts[0].Image.Digest()
	}
	return i.index().Digest()
}

// index is the list of platforms.
func (i Image) index() v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, p := range i.Parts {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: p.Image, Descriptor: v1.Descriptor{Platform: &p.Platform},
		})
	}
	return index
}

// Size is the sum of the packed layers of all platforms.
func (i Image) Size() (int64, error) {
	var sum int64
	for _, p := range i.Parts {
		manifest, err := p.Image.Manifest()
		if err != nil {
			return 0, fmt.Errorf("measuring the image: %w", err)
		}
		for _, l := range manifest.Layers {
			sum += l.Size
		}
	}
	return sum, nil
}

// builder is one run of Build.
type builder struct {
	Options
	work string
	done int
}

// programs is where the programs of a platform are.
func (b *builder) programs(p v1.Platform) string { return filepath.Join(b.work, p.Architecture) }

// Build makes the images. Equal sources, versions and compilers make equal bytes.
func Build(ctx context.Context, o Options) ([]Image, error) {
	work, err := os.MkdirTemp("", "wcctl-build-")
	if err != nil {
		return nil, fmt.Errorf("making a folder for programs: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	b := &builder{Options: o, work: work}
	images := make([]Image, len(o.Services))
	for i, service := range o.Services {
		images[i].Service = service
	}
	for _, p := range o.Platforms {
		// One go command shares its work among all programs.
		_, err := b.timed("building the programs for "+p.String(), func() error { return b.compile(ctx, p) })
		if err != nil {
			return nil, err
		}
		base, err := b.base(ctx, p)
		if err != nil {
			return nil, err
		}
		for i := range images {
			if err := b.add(&images[i], p, base); err != nil {
				return nil, err
			}
		}
	}
	return images, ctx.Err()
}

// add makes an image's part for a platform.
func (b *builder) add(i *Image, p v1.Platform, base v1.Image) error {
	took, err := b.timed("making the image of "+i.Service+" for "+p.String(), func() error {
		part, err := b.part(i.Service, p, base)
		i.Parts = append(i.Parts, part)
		return err
	})
	i.Took += took
	return err
}

// timed does a task and tells of it.
func (b *builder) timed(task string, do func() error) (time.Duration, error) {
	b.emit(event.Event{Kind: event.TaskStarted, Task: task})
	started := time.Now()
	if err := do(); err != nil {
		return 0, fmt.Errorf("%s: %w", task, err)
	}
	took := time.Since(started)
	b.done++
	b.emit(event.Event{Kind: event.TaskFinished, Task: task, Changed: true, Seconds: took.Seconds()})
	return took, nil
}

func (b *builder) emit(e event.Event) {
	if b.Sink == nil {
		return
	}
	e.Time, e.Done, e.Total = time.Now(), b.done, (1+len(b.Services))*len(b.Platforms)
	b.Sink.Emit(e)
}

// part puts a program on the base.
func (b *builder) part(service string, p v1.Platform, base v1.Image) (Part, error) {
	program := filepath.Join(b.programs(p), service)
	sbom, err := listParts(program, service, b.Version)
	if err != nil {
		return Part{}, err
	}
	path := "usr/local/bin/" + service
	layer, err := pack([]file{
		{name: path, mode: 0o755, path: program},
		{name: "usr/share/sbom/" + service + ".spdx.json", mode: 0o644, data: sbom},
	})
	if err != nil {
		return Part{}, err
	}
	image, err := mutate.Append(base, mutate.Addendum{
		Layer: layer, MediaType: types.OCILayer,
		History: v1.History{Created: v1.Time{Time: b.Version.Time}, CreatedBy: "wcctl build " + service},
	})
	if err != nil {
		return Part{}, fmt.Errorf("adding the program: %w", err)
	}
	if image, err = b.configure(image, service, p, "/"+path); err != nil {
		return Part{}, err
	}
	return Part{Platform: p, Image: image, SBOM: sbom}, nil
}

// configure says how the image is run and what it is.
func (b *builder) configure(image v1.Image, service string, p v1.Platform, program string) (v1.Image, error) {
	config, err := image.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("reading the base's settings: %w", err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	config.Created = v1.Time{Time: b.Version.Time}
	config.Config.User, config.Config.WorkingDir = nonRoot, "/"
	config.Config.Entrypoint, config.Config.Cmd = []string{program}, nil
	if config.Config.Labels == nil {
		config.Config.Labels = map[string]string{}
	}
	for key, value := range map[string]string{
		"title": service, "version": b.Version.Tag, "revision": b.Version.Commit,
		"licenses": "Apache-2.0", "base.name": b.Base,
	} {
		if value != "" {
			config.Config.Labels["org.opencontainers.image."+key] = value
		}
	}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		return nil, fmt.Errorf("writing the image's settings: %w", err)
	}
	return image, nil
}

// base is what the images of a platform stand on.
func (b *builder) base(ctx context.Context, p v1.Platform) (v1.Image, error) {
	if b.Base == "" {
		return minimal(b.Version.Time)
	}
	ref, err := name.ParseReference(b.Base)
	if err != nil {
		return nil, fmt.Errorf("reading the base's name: %w", err)
	}
	image, err := remote.Image(ref, remoteOptions(ctx, remote.WithPlatform(p))...)
	if err != nil {
		return nil, fmt.Errorf("getting the base %s: %w", b.Base, err)
	}
	return image, nil
}
