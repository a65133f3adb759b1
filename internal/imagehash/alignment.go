package imagehash

import "math"

const viewCount = 13

// alignment is a window on the picture: its share of width and height, its turn in degrees, and
// the shift of its center as a share of width and height.
type alignment struct {
	scale, degrees, dx, dy float64
}

// alignments lists the windows that are fingerprinted. A cropped or turned copy agrees with one of
// the original's windows far better than with the whole picture. The first is the whole picture;
// the shifted ones stand in clockwise order so that quarterViews can turn them.
func alignments() [viewCount]alignment {
	const (
		frame = 0.95
		side  = 0.025
		diag  = 0.02
	)
	return [viewCount]alignment{
		{scale: 1},
		{scale: 0.94},
		{scale: 0.88},
		{scale: 0.94, degrees: 2},
		{scale: 0.94, degrees: -2},
		{scale: frame, dy: -side},
		{scale: frame, dx: side},
		{scale: frame, dy: side},
		{scale: frame, dx: -side},
		{scale: frame, dx: diag, dy: -diag},
		{scale: frame, dx: diag, dy: diag},
		{scale: frame, dx: -diag, dy: diag},
		{scale: frame, dx: -diag, dy: -diag},
	}
}

// quarterViews tells which window of the original becomes each window of the turned picture.
func quarterViews() [viewCount]int {
	return [viewCount]int{0, 1, 2, 3, 4, 8, 5, 6, 7, 12, 9, 10, 11}
}

// sample reads an n by n grid of luma from the window; at maps a cell's offset from the window's
// center, -0.5 to 0.5, to where it is read.
func (a alignment) sample(p plane, n int, out []float64, at func(float64) float64) {
	w, h := float64(p.width), float64(p.height)
	sin, cos := math.Sincos(a.degrees * math.Pi / 180)
	offsets := make([]float64, n)
	for i := range offsets {
		offsets[i] = at((float64(i)+0.5)/float64(n)-0.5) * a.scale
	}
	cx, cy := w/2-0.5+a.dx*w, h/2-0.5+a.dy*h
	for row, v := range offsets {
		for column, u := range offsets {
			x, y := u*w, v*h
			out[row*n+column] = p.at(cx+x*cos-y*sin, cy+x*sin+y*cos)
		}
	}
}
