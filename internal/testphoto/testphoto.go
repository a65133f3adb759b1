// Package testphoto draws photos for tests.
package testphoto

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
)

// Size of a picture in pixels.
const (
	Width  = 320
	Height = 240
)

// Picture draws shapes at random places; another seed gives a picture that is not similar.
func Picture(seed uint64) image.Image {
	r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // test pictures
	img := image.NewRGBA(image.Rect(0, 0, Width, Height))
	for i := range Width * Height {
		img.Set(i%Width, i/Width, color.RGBA{uint8(i % Width / 2), uint8(i / Width), 90, 255})
	}
	for range 14 {
		x, y, w, h := r.IntN(280), r.IntN(200), 20+r.IntN(120), 20+r.IntN(90)
		tint := r.Uint32()
		c := color.RGBA{byte(tint >> 16), byte(tint >> 8), byte(tint), 255} //nolint:gosec // cut to a byte
		for dx := range w {
			for dy := range h {
				img.Set(x+dx, y+dy, c)
			}
		}
	}
	return img
}

// JPEG encodes a picture.
func JPEG(img image.Image, quality int) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		panic(err) // a buffer takes everything
	}
	return b.Bytes()
}
