package photo

import (
	"image"

	"golang.org/x/image/draw"
)

// shrink scales a picture down to at most longSide pixels and lays it on white. It halves first:
// a sharp kernel over the whole of a large photo costs many times as much and shows no difference.
func shrink(img image.Image, longSide int) *image.RGBA {
	w, h := fit(img.Bounds().Dx(), img.Bounds().Dy(), longSide)
	for img.Bounds().Dx() >= 2*w && img.Bounds().Dy() >= 2*h {
		half := image.Rect(0, 0, (img.Bounds().Dx()+1)/2, (img.Bounds().Dy()+1)/2)
		img = scale(draw.ApproxBiLinear, img, half)
	}
	return scale(draw.CatmullRom, img, image.Rect(0, 0, w, h))
}

func scale(scaler draw.Scaler, img image.Image, to image.Rectangle) *image.RGBA {
	dst := image.NewRGBA(to)
	op := draw.Src
	if o, ok := img.(interface{ Opaque() bool }); !ok || !o.Opaque() {
		draw.Draw(dst, to, image.White, image.Point{}, draw.Src)
		op = draw.Over
	}
	if img.Bounds().Size() == to.Size() {
		draw.Draw(dst, to, img, img.Bounds().Min, op)
		return dst
	}
	scaler.Scale(dst, to, img, img.Bounds(), op, nil)
	return dst
}

// fit keeps the aspect; a thin strip keeps at least one pixel.
func fit(w, h, longSide int) (width, height int) {
	long := max(w, h)
	if long <= longSide {
		return w, h
	}
	return max(1, (w*longSide+long/2)/long), max(1, (h*longSide+long/2)/long)
}
