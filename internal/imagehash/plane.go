package imagehash

import (
	"image"
	"image/draw"
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
	src := flatten(img)
	long := max(b.Dx(), b.Dy())
	w, h := b.Dx(), b.Dy()
	if long > longSide {
		w = max(1, (w*longSide+long/2)/long)
		h = max(1, (h*longSide+long/2)/long)
	}
	p := plane{width: w, height: h, rgb: average(src, w, h), luma: make([]float64, w*h)}
	for i := range p.luma {
		red, green, blue := p.rgb[3*i], p.rgb[3*i+1], p.rgb[3*i+2]
		p.luma[i] = 0.299*float64(red) + 0.587*float64(green) + 0.114*float64(blue)
	}
	return p
}

func flatten(img image.Image) *image.RGBA {
	o, ok := img.(interface{ Opaque() bool })
	opaque := ok && o.Opaque()
	if rgba, ok := img.(*image.RGBA); ok && opaque {
		return rgba
	}
	b := img.Bounds()
	dst := image.NewRGBA(image.Rect(0, 0, b.Dx(), b.Dy()))
	op := draw.Src
	if !opaque {
		draw.Draw(dst, dst.Bounds(), image.White, image.Point{}, draw.Src)
		op = draw.Over
	}
	draw.Draw(dst, dst.Bounds(), img, b.Min, op)
	return dst
}

// span is where one source row or column falls: its share in the first cell, the rest in the next.
type span struct {
	cell        int
	first, rest float32
}

func spans(from, to int) []span {
	out := make([]span, from)
	k := float64(to) / float64(from)
	for i := range out {
		start, end := float64(i)*k, float64(i+1)*k
		cell := min(int(start), to-1)
		first := min(end, float64(cell+1)) - start
		out[i] = span{cell: cell, first: float32(first)}
		if cell+1 < to {
			out[i].rest = float32(k - first)
		}
	}
	return out
}

// average is an area average: every source pixel counts by the share of it that a cell covers, so
// that the same picture in two sizes gives the same cells.
func average(src *image.RGBA, w, h int) []float32 {
	b := src.Bounds()
	columns, rows := spans(b.Dx(), w), spans(b.Dy(), h)
	out := make([]float32, 3*w*(h+1))
	line := make([]float32, 3*(w+1))
	for y, row := range rows {
		clear(line)
		pix := src.Pix[y*src.Stride:]
		for x, c := range columns {
			cell := line[3*c.cell : 3*c.cell+6]
			for k := range 3 {
				v := float32(pix[4*x+k])
				cell[k] += v * c.first
				cell[k+3] += v * c.rest
			}
		}
		top, bottom := out[3*w*row.cell:], out[3*w*(row.cell+1):]
		for i := range 3 * w {
			top[i] += line[i] * row.first
			bottom[i] += line[i] * row.rest
		}
	}
	return out[:3*w*h]
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
