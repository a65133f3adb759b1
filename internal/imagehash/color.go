package imagehash

import (
	"math"
	"slices"
)

const colorSide = 4

// colors are the mean chroma, Cb and Cr around 0, of 4 by 4 parts of the picture. Luma is left
// out: it changes with exposure.
type colors [colorSide * colorSide][2]int8

func colorsOf(p plane) colors {
	var sums [colorSide * colorSide][3]float64
	for y := range p.height {
		for x := range p.width {
			i := y*p.width + x
			cell := &sums[y*colorSide/p.height*colorSide+x*colorSide/p.width]
			cell[0] += 0.564 * (float64(p.rgb[3*i+2]) - p.luma[i])
			cell[1] += 0.713 * (float64(p.rgb[3*i]) - p.luma[i])
			cell[2]++
		}
	}
	var c colors
	for i, sum := range sums {
		if sum[2] > 0 {
			c[i] = [2]int8{chroma(sum[0] / sum[2]), chroma(sum[1] / sum[2])}
		}
	}
	return c
}

func chroma(v float64) int8 {
	return int8(math.Round(min(max(v, math.MinInt8), math.MaxInt8)))
}

// distance is the mean difference of a chroma value.
func (c *colors) distance(d *colors) float64 {
	var sum int
	for i := range c {
		for k := range c[i] {
			diff := int(c[i][k]) - int(d[i][k])
			sum += max(diff, -diff)
		}
	}
	return float64(sum) / (2 * colorSide * colorSide)
}

func (c *colors) quarter() colors {
	var d colors
	for y := range colorSide {
		for x := range colorSide {
			d[y*colorSide+x] = c[(colorSide-1-x)*colorSide+y]
		}
	}
	return d
}

// tones are the luma below which 1, 5 and 25 percent of the picture lie, in percent of its mean:
// small dark parts hardly move the hashes, and exposure hardly moves these.
type tones [3]uint8

func tonesOf(p plane) tones {
	luma := slices.Sorted(slices.Values(p.luma))
	var sum float64
	for _, v := range luma {
		sum += v
	}
	mean := max(1, sum/float64(len(luma)))
	var t tones
	for i, percent := range []int{1, 5, 25} {
		t[i] = uint8(min(math.MaxUint8, math.Round(100*luma[len(luma)*percent/100]/mean)))
	}
	return t
}

// distance is the largest difference of a tone.
func (t *tones) distance(u *tones) float64 {
	var most int
	for i := range t {
		diff := int(t[i]) - int(u[i])
		most = max(most, diff, -diff)
	}
	return float64(most)
}
