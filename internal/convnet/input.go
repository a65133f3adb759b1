package convnet

import (
	"image"

	"github.com/wastecoach/wastecoach/internal/downscale"
)

// Input is a picture as a network sees it: rows of red, green, blue.
type Input struct {
	Width, Height int
	RGB           []uint8
}

// NewInput averages a picture, which is not empty, down to longSide. A smaller one stays as it is.
func NewInput(img image.Image, longSide int) Input {
	w, h := downscale.Fit(img.Bounds().Size(), longSide)
	in := Input{Width: w, Height: h, RGB: make([]uint8, 3*w*h)}
	for i, v := range downscale.Average(downscale.Opaque(img), w, h) {
		in.RGB[i] = uint8(min(max(v, 0), 255) + 0.5)
	}
	return in
}
