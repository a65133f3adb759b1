package imagehash

import (
	"math"
	"math/bits"
)

const (
	dctSide    = 16
	dctSamples = 64
)

// dctHash holds the signs of the 16 by 16 lowest frequencies, row by row; the mean is left out.
type dctHash [4]uint64

// cosines is the DCT-II basis: for each frequency its value at every sample.
func cosines() *[dctSide][dctSamples]float64 {
	var t [dctSide][dctSamples]float64
	for u := range dctSide {
		for x := range dctSamples {
			t[u][x] = math.Cos(math.Pi * float64(u) * (2*float64(x) + 1) / (2 * dctSamples))
		}
	}
	return &t
}

func dctOf(p plane, a alignment, basis *[dctSide][dctSamples]float64) dctHash {
	var grid [dctSamples * dctSamples]float64
	a.sample(p, dctSamples, grid[:], func(t float64) float64 { return t })
	var rows [dctSide][dctSamples]float64
	for u := range dctSide {
		for y := range dctSamples {
			rows[u][y] = dot(basis[u][:], grid[y*dctSamples:(y+1)*dctSamples])
		}
	}
	var h dctHash
	for v := range dctSide {
		for u := range dctSide {
			if u+v > 0 && dot(basis[v][:], rows[u][:]) > 0 {
				h.set(v*dctSide + u)
			}
		}
	}
	return h
}

func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var sum float64
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

func (h *dctHash) set(i int)        { h[i/64] |= 1 << (i % 64) }
func (h *dctHash) bit(i int) uint64 { return h[i/64] >> (i % 64) & 1 }

func (h *dctHash) distance(g *dctHash) int {
	return bits.OnesCount64(h[0]^g[0]) + bits.OnesCount64(h[1]^g[1]) +
		bits.OnesCount64(h[2]^g[2]) + bits.OnesCount64(h[3]^g[3])
}

// quarter turns the picture clockwise: frequencies swap axes and the odd ones across change sign.
func (h *dctHash) quarter() dctHash {
	var g dctHash
	for v := range dctSide {
		for u := range dctSide {
			if u+v > 0 && h.bit(u*dctSide+v) != uint64(u%2) {
				g.set(v*dctSide + u)
			}
		}
	}
	return g
}
