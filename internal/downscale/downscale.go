// Package downscale averages pictures down.
package downscale

import (
	"image"
	"image/draw"
)

// Fit is a picture's size once its longer side has at most longSide pixels; the aspect stays.
func Fit(size image.Point, longSide int) (width, height int) {
	w, h := size.X, size.Y
	long := max(w, h)
	if long <= longSide {
		return w, h
	}
	return max(1, (w*longSide+long/2)/long), max(1, (h*longSide+long/2)/long)
}

// Opaque lays a picture on white, unless it is an opaque *image.RGBA already.
func Opaque(img image.Image) *image.RGBA {
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

// Average is an area average of w × h cells, no more than src has pixels, as red, green, blue of 0
// to 255: every source pixel counts by the share of it that a cell covers, so that the same picture
// in two sizes gives the same cells.
func Average(src *image.RGBA, w, h int) []float32 {
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
