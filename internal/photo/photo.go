// Package photo turns the bytes of an uploaded photo into a safe, upright picture of bounded size.
package photo

import (
	"context"
	"errors"
	"fmt"
	"image"
)

// Errors that tell what is wrong with an upload; see also UnsupportedTypeError.
var (
	ErrEmpty         = errors.New("photo is empty")
	ErrTooLarge      = errors.New("photo has too many bytes")
	ErrTooManyPixels = errors.New("photo has too many pixels")
	ErrCorrupt       = errors.New("photo is damaged or cut short")
)

const (
	// LongSide is the most pixels a normalised photo has on its longer side.
	LongSide = 1024
	// jpegQuality keeps small print on labels readable for the vision model.
	jpegQuality = 90

	defaultMaxBytes  = 10 << 20
	defaultMaxPixels = 50_000_000
)

// Limits bound what is accepted; a zero field takes its default.
type Limits struct {
	MaxBytes  int64 // of the upload, 10 MiB by default
	MaxPixels int64 // of the upload, 50 million by default; one of 16 bits a channel counts twice
}

// Photo is a normalised photo: upright, at most LongSide pixels long, opaque, without metadata.
type Photo struct {
	JPEG          []byte
	Image         image.Image
	Width, Height int
	Kind          Kind // of the upload
	// OriginalWidth and OriginalHeight are the upload's, before its orientation was applied.
	OriginalWidth, OriginalHeight int
}

// Normalizer normalises photos, a bounded number at a time: one of 50 million pixels takes up to
// 400 MB while it is decoded.
type Normalizer struct {
	limits Limits
	slots  chan struct{}
}

// NewNormalizer decodes at most parallel photos at a time, at least one.
func NewNormalizer(limits Limits, parallel int) *Normalizer {
	return &Normalizer{limits: limits, slots: make(chan struct{}, max(1, parallel))}
}

// Normalize waits for a free slot, then does what the function Normalize does.
func (n *Normalizer) Normalize(ctx context.Context, data []byte) (*Photo, error) {
	select {
	case n.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting to decode photo: %w", ctx.Err())
	}
	defer func() { <-n.slots }()
	return Normalize(ctx, data, n.limits)
}

// Normalize checks a photo and decodes it only when its header keeps the limits. Its errors are
// ErrEmpty, ErrTooLarge, ErrTooManyPixels, ErrCorrupt, *UnsupportedTypeError or the context's.
func Normalize(ctx context.Context, data []byte, limits Limits) (*Photo, error) {
	limits = limits.withDefaults()
	if int64(len(data)) > limits.MaxBytes {
		return nil, fmt.Errorf("%w: %d, at most %d", ErrTooLarge, len(data), limits.MaxBytes)
	}
	kind, err := Sniff(data)
	if err != nil {
		return nil, err
	}
	config, err := decodeConfig(kind, data)
	if err != nil {
		return nil, err
	}
	if tooManyPixels(config, limits.MaxPixels) {
		return nil, fmt.Errorf("%w: %d x %d, at most %d",
			ErrTooManyPixels, config.Width, config.Height, limits.MaxPixels)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("decoding photo: %w", err)
	}
	img, err := decode(kind, data)
	if err != nil {
		return nil, err
	}
	upright := orient(shrink(img, LongSide), orientation(kind, data))
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("encoding photo: %w", err)
	}
	return encode(upright, kind, config)
}

func (l Limits) withDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.MaxPixels <= 0 {
		l.MaxPixels = defaultMaxPixels
	}
	return l
}
