package photo

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/webp"
)

// codec holds the decoders of one kind. The registry of package image is not used: any import
// anywhere may add a decoder to it.
type codec struct {
	config func(io.Reader) (image.Config, error)
	decode func(io.Reader) (image.Image, error)
}

func (k Kind) codec() codec {
	switch k {
	case PNG:
		return codec{png.DecodeConfig, png.Decode}
	case WebP:
		return codec{webp.DecodeConfig, webp.Decode}
	default:
		return codec{jpeg.DecodeConfig, jpeg.Decode}
	}
}

func decodeConfig(kind Kind, data []byte) (image.Config, error) {
	config, err := guard(data, kind.codec().config)
	if err != nil {
		return image.Config{}, fmt.Errorf("reading photo header: %w", err)
	}
	if config.Width <= 0 || config.Height <= 0 {
		return image.Config{}, fmt.Errorf("%w: it has no pixels", ErrCorrupt)
	}
	return config, nil
}

func decode(kind Kind, data []byte) (image.Image, error) {
	img, err := guard(data, kind.codec().decode)
	if err != nil {
		return nil, fmt.Errorf("decoding photo: %w", err)
	}
	return img, nil
}

// guard makes every fault of a decoder ErrCorrupt, a panic too: one upload must not end a worker.
func guard[T any](data []byte, read func(io.Reader) (T, error)) (out T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: decoder panicked: %v", ErrCorrupt, r)
		}
	}()
	out, err = read(bytes.NewReader(data))
	if err != nil {
		return out, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return out, nil
}

// tooManyPixels halves the limit for 16 bits a channel rather than double the pixels, which may
// overflow for a forged header.
func tooManyPixels(config image.Config, limit int64) bool {
	switch config.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model:
		limit /= 2
	}
	return int64(config.Width) > limit/int64(config.Height)
}

func encode(img *image.RGBA, kind Kind, original image.Config) (*Photo, error) {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return nil, fmt.Errorf("encoding photo: %w", err)
	}
	return &Photo{
		JPEG:           out.Bytes(),
		Image:          img,
		Width:          img.Bounds().Dx(),
		Height:         img.Bounds().Dy(),
		Kind:           kind,
		OriginalWidth:  original.Width,
		OriginalHeight: original.Height,
	}, nil
}
