package imagehash

import (
	"math"
	"math/bits"
)

const (
	gradientSide  = 16
	gradientParts = 3
	gradientSteps = gradientSide * (gradientSide - 1)
	gradientWords = (2*gradientSteps + 63) / 64
	// flatStep is the step between cells, in luma and in shares of the picture's own deviation,
	// below which a step is noise: an even background then has no bits that a re-encode can turn.
	flatStep, flatShare = 0.75, 0.15
	// leastSteps is how many steps two pictures must have between them to be compared at all:
	// two blank walls agree in everything and say nothing.
	leastSteps = 24
)

// gradientHash tells of each step between neighboring cells whether it clearly rises or falls:
// first the steps across, row by row, then the steps down. Cells are half as wide in the middle
// of the picture, where the object is, and twice as wide at its edge.
type gradientHash struct {
	rise, fall [gradientWords]uint64
}

func gradientOf(p plane, a alignment) gradientHash {
	const n = gradientSide * gradientParts
	var grid [n * n]float64
	a.sample(p, n, grid[:], func(t float64) float64 { return 0.5*t + 2*t*t*t })
	var cells [gradientSide * gradientSide]float64
	for y := range n {
		for x := range n {
			cells[y/gradientParts*gradientSide+x/gradientParts] += grid[y*n+x]
		}
	}
	for i := range cells {
		cells[i] /= gradientParts * gradientParts
	}
	limit := max(flatStep, flatShare*deviation(cells[:]))
	var h gradientHash
	for y := range gradientSide {
		for x := range gradientSide - 1 {
			c := y*gradientSide + x
			h.set(y*(gradientSide-1)+x, cells[c+1]-cells[c], limit)
			// The steps down are stored column by column, so that a turn swaps the two halves.
			c = x*gradientSide + y
			h.set(gradientSteps+y*(gradientSide-1)+x, cells[c+gradientSide]-cells[c], limit)
		}
	}
	return h
}

func deviation(values []float64) float64 {
	var sum, squares float64
	for _, v := range values {
		sum += v
		squares += v * v
	}
	mean := sum / float64(len(values))
	return math.Sqrt(max(0, squares/float64(len(values))-mean*mean))
}

func (h *gradientHash) set(i int, step, limit float64) {
	switch {
	case step > limit:
		h.rise[i/64] |= 1 << (i % 64)
	case step < -limit:
		h.fall[i/64] |= 1 << (i % 64)
	}
}

// distance is the percentage of steps, of those either picture has, that the other has not.
func (h *gradientHash) distance(g *gradientHash) float64 {
	var both, either int
	for i := range gradientWords {
		both += bits.OnesCount64(h.rise[i]&g.rise[i]) + bits.OnesCount64(h.fall[i]&g.fall[i])
		either += bits.OnesCount64(h.rise[i]|g.rise[i]) + bits.OnesCount64(h.fall[i]|g.fall[i])
	}
	if either < leastSteps {
		return 100
	}
	return 100 - 100*float64(both)/float64(either)
}

// quarter turns the picture clockwise: steps down become steps across, read from the other end.
func (h *gradientHash) quarter() gradientHash {
	var g gradientHash
	const n = gradientSide - 1
	for y := range gradientSide {
		for x := range n {
			// New rows are old columns read upwards; new columns are old rows from the bottom up.
			g.copyBit(y*n+x, h, gradientSteps+y*n+(n-1-x), true)
			g.copyBit(gradientSteps+y*n+x, h, (gradientSide-1-y)*n+x, false)
		}
	}
	return g
}

func (h *gradientHash) copyBit(to int, from *gradientHash, i int, invert bool) {
	rise := from.rise[i/64] >> (i % 64) & 1
	fall := from.fall[i/64] >> (i % 64) & 1
	if invert {
		rise, fall = fall, rise
	}
	h.rise[to/64] |= rise << (to % 64)
	h.fall[to/64] |= fall << (to % 64)
}
