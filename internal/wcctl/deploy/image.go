package deploy

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// Image is a container image by its tag or its digest, which wins.
type Image struct {
	Repository string `json:"repository"`
	Tag        string `json:"tag"`
	Digest     string `json:"digest"`
}

// ParseImage reads a reference with a tag or a digest.
func ParseImage(text string) (Image, error) {
	if digest, err := name.NewDigest(text, name.StrictValidation); err == nil {
		return Image{Repository: strings.TrimSuffix(text, "@"+digest.DigestStr()), Digest: digest.DigestStr()}, nil
	}
	tag, err := name.NewTag(text, name.StrictValidation)
	if err != nil {
		return Image{}, fmt.Errorf("%q names no image by tag or digest: %w", text, err)
	}
	return Image{Repository: strings.TrimSuffix(text, ":"+tag.TagStr()), Tag: tag.TagStr()}, nil
}

// splitImage reads a reference of a pod, which the API server took already.
func splitImage(text string) Image {
	if repository, digest, ok := strings.Cut(text, "@"); ok {
		return Image{Repository: repository, Digest: digest}
	}
	colon := strings.LastIndexByte(text, ':')
	if colon < strings.LastIndexByte(text, '/') || colon < 0 { // a registry's port, or no tag
		return Image{Repository: text, Tag: "latest"}
	}
	return Image{Repository: text[:colon], Tag: text[colon+1:]}
}

// String is the reference.
func (i Image) String() string {
	if i.Digest != "" {
		return i.Repository + "@" + i.Digest
	}
	return i.Repository + ":" + i.Tag
}

// version is how people call it.
func (i Image) version() string {
	if i.Tag != "" {
		return i.Tag
	}
	const shown = 12
	hex := strings.TrimPrefix(i.Digest, "sha256:")
	return hex[:min(shown, len(hex))]
}

// is tells whether both are the same build.
func (i Image) is(other Image) bool { return i.Tag == other.Tag && i.Digest == other.Digest }

// values are those of a color of the service chart.
func (i Image) values() map[string]any { return map[string]any{"tag": i.Tag, "digest": i.Digest} }

// imageFrom reads the image out of a release's values.
func imageFrom(values map[string]any) Image {
	image, _ := values["image"].(map[string]any)
	text := func(key string) string {
		value, _ := image[key].(string)
		return value
	}
	return Image{Repository: text("repository"), Tag: text("tag"), Digest: text("digest")}
}
