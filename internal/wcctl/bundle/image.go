package bundle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

const (
	layerName      = "layer.tar.gz"
	layerRecord    = "layer.json"
	descriptorName = "descriptor.json"
	// imagePath is the PATH of every image.
	imagePath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// layer is a packed layer and the digest of what is in it.
type layer struct {
	Digest v1.Hash `json:"digest"`
	DiffID v1.Hash `json:"diffID"`
	Size   int64   `json:"size"`
}

// writeLayer packs the entries into dir.
func writeLayer(dir string, entries []tarEntry) (layer, error) {
	f, err := os.Create(filepath.Join(dir, layerName))
	if err != nil {
		return layer{}, fmt.Errorf("writing a layer: %w", err)
	}
	packed, plain := sha256.New(), sha256.New()
	err = writeTar(io.MultiWriter(f, packed), plain, entries)
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return layer{}, fmt.Errorf("writing a layer: %w", err)
	}
	l := layer{
		Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(packed.Sum(nil))},
		DiffID: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(plain.Sum(nil))},
		Size:   info.Size(),
	}
	return l, writeJSON(filepath.Join(dir, layerRecord), l)
}

func readLayer(r result) (layer, error) {
	raw, err := os.ReadFile(r.path(layerRecord))
	if err != nil {
		return layer{}, fmt.Errorf("reading a layer: %w", err)
	}
	var l layer
	if err := json.Unmarshal(raw, &l); err != nil {
		return layer{}, fmt.Errorf("reading a layer: %w", err)
	}
	return l, nil
}

// imageMaker writes one image as blobs and the descriptor of its manifest.
type imageMaker struct {
	image Image
	arch  string
	// programs holds the component's programs.
	programs result
	// userland is the layer below, or nil.
	userland *result
}

// imageRecipe changes when this file makes something else of the same inputs.
const imageRecipe = 1

type imageInputs struct {
	Recipe   int      `json:"recipe"`
	Arch     string   `json:"arch"`
	Image    Image    `json:"image"`
	Programs []Digest `json:"programs"`
	Userland []Digest `json:"userland"`
}

func (m imageMaker) inputs() imageInputs {
	// Where an image is used is no part of it.
	image := m.image
	image.Nodes, image.Network = nil, ""
	in := imageInputs{
		Recipe: imageRecipe, Arch: m.arch, Image: image,
	}
	for _, f := range m.programs.files {
		if _, ok := m.image.Programs[f.Path]; ok {
			in.Programs = append(in.Programs, f)
		}
	}
	if m.userland != nil {
		in.Userland = m.userland.files
	}
	return in
}

// make writes the blobs below out.
func (m imageMaker) make(_ context.Context, out string) error {
	var layers []layer
	if m.userland != nil {
		l, err := readLayer(*m.userland)
		if err != nil {
			return err
		}
		if err := m.userland.copyTo(layerName, filepath.Join(out, l.Digest.Hex), fileMode); err != nil {
			return err
		}
		layers = append(layers, l)
	}
	l, err := m.programLayer(out)
	if err != nil {
		return err
	}
	layers = append(layers, l)
	config, err := writeBlob(out, types.OCIConfigJSON, m.config(layers))
	if err != nil {
		return err
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1, Config: config}
	for _, l := range layers {
		manifest.Layers = append(manifest.Layers, v1.Descriptor{
			MediaType: types.OCILayer, Digest: l.Digest, Size: l.Size,
		})
	}
	descriptor, err := writeBlob(out, types.OCIManifestSchema1, manifest)
	if err != nil {
		return err
	}
	descriptor.Platform = &v1.Platform{OS: "linux", Architecture: m.arch}
	return writeJSON(filepath.Join(out, descriptorName), descriptor)
}

// programLayer holds the programs and what every image has.
func (m imageMaker) programLayer(out string) (layer, error) {
	users, groups := m.accounts()
	entries := []tarEntry{
		{name: "tmp/", mode: 0o1777},
		{name: "etc/passwd", mode: 0o644, data: []byte(users)},
		{name: "etc/group", mode: 0o644, data: []byte(groups)},
	}
	for program, target := range m.image.Programs {
		entry, err := m.programs.entry(program, strings.TrimPrefix(target, "/"))
		if err != nil {
			return layer{}, err
		}
		entries = append(entries, entry)
	}
	l, err := writeLayer(out, entries)
	if err != nil {
		return layer{}, m.programs.after(err)
	}
	if err := os.Rename(filepath.Join(out, layerName), filepath.Join(out, l.Digest.Hex)); err != nil {
		return layer{}, fmt.Errorf("naming a layer: %w", err)
	}
	return l, os.Remove(filepath.Join(out, layerRecord))
}

// accounts are /etc/passwd and /etc/group.
func (m imageMaker) accounts() (users, groups string) {
	users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
	groups = "root:x:0:\nnogroup:x:65534:\n"
	for _, name := range slices.Sorted(maps.Keys(m.image.Users)) {
		id := m.image.Users[name]
		users += fmt.Sprintf("%s:x:%d:%d:%s:/nonexistent:/bin/sh\n", name, id, id, name)
		groups += fmt.Sprintf("%s:x:%d:\n", name, id)
	}
	return users, groups
}

func (m imageMaker) config(layers []layer) v1.ConfigFile {
	epoch := v1.Time{Time: time.Unix(0, 0).UTC()}
	config := v1.ConfigFile{
		Architecture: m.arch, OS: "linux", Created: epoch,
		RootFS: v1.RootFS{Type: "layers"},
		Config: v1.Config{
			Entrypoint: m.image.Entrypoint, Cmd: m.image.Command, Env: []string{imagePath},
		},
	}
	for _, l := range layers {
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
		config.History = append(config.History, v1.History{Created: epoch, CreatedBy: "wcctl bundle create"})
	}
	return config
}

// writeBlob writes v as JSON under its digest.
func writeBlob(dir string, media types.MediaType, v any) (v1.Descriptor, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("writing a blob: %w", err)
	}
	sum := sha256.Sum256(raw)
	hash := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
	if err := os.WriteFile(filepath.Join(dir, hash.Hex), raw, fileMode); err != nil {
		return v1.Descriptor{}, fmt.Errorf("writing a blob: %w", err)
	}
	return v1.Descriptor{MediaType: media, Digest: hash, Size: int64(len(raw))}, nil
}
