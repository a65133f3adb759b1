package imagehash

import (
	"image"

	"github.com/wastecoach/wastecoach/internal/downscale"
)

// longSide is the size the picture is averaged down to before anything is measured.
const longSide = 128

// plane is a picture averaged down to longSide, in luma and red, green, blue of 0 to 255.
type plane struct {
	width, height int
	luma          []float64
	rgb           []float32
}

func shrink(img image.Image) plane {
	b := img.Bounds()
	if b.Empty() {
		return plane{}
	}
	w, h := downscale.Fit(b.Size(), longSide)
	rgb := downscale.Average(downscale.Opaque(img), w, h)
	p := plane{width: w, height: h, rgb: rgb, luma: make([]float64, w*h)}
	for i := range p.luma {
		red, green, blue := p.rgb[3*i], p.rgb[3*i+1], p.rgb[3*i+2]
		p.luma[i] = 0.299*float64(red) + 0.587*float64(green) + 0.114*float64(blue)
	}
	return p
}

// at reads luma between pixels; outside the picture the nearest edge goes on.
func (p plane) at(x, y float64) float64 {
	x = min(max(x, 0), float64(p.width-1))
	y = min(max(y, 0), float64(p.height-1))
	x0, y0 := int(x), int(y)
	x1, y1 := min(x0+1, p.width-1), min(y0+1, p.height-1)
	fx, fy := x-float64(x0), y-float64(y0)
	top, bottom := p.luma[y0*p.width:], p.luma[y1*p.width:]
	upper := top[x0] + (top[x1]-top[x0])*fx
	lower := bottom[x0] + (bottom[x1]-bottom[x0])*fx
	return upper + (lower-upper)*fy
}
