package imagehash

import "math"

// Thresholds are the largest distances at which two pictures count as the same photograph. All
// must hold, the two hashes in one and the same alignment.
type Thresholds struct {
	DCT      int     // differing bits of 256
	Gradient float64 // percentage of clear steps that only one picture has
	Color    float64 // mean difference of a chroma value, 0 to 255
	Tone     float64 // largest difference of a tone, in percent of the mean luma
}

// DefaultThresholds are the shipped ones; docs/perceptual-cache.md shows how they were measured.
func DefaultThresholds() Thresholds {
	return Thresholds{DCT: 48, Gradient: 36, Color: 6, Tone: 15}
}

// Similar tells whether f and g are of the same photograph, re-encoded, resized, slightly
// cropped, turned by a few degrees or by quarters. Query is cheaper for many g.
func (f Fingerprint) Similar(g Fingerprint, t Thresholds) bool {
	return f.Query(t).Similar(&g)
}

// Query compares one fingerprint with many.
type Query struct {
	turns  [4]Fingerprint
	limits Thresholds
}

// Query prepares the comparison of f with many others at thresholds t.
func (f Fingerprint) Query(t Thresholds) *Query {
	q := &Query{limits: t}
	for i := range q.turns {
		q.turns[i] = f
		f = f.quarter()
	}
	return q
}

// Similar tells whether g is of the same photograph; see Fingerprint.Similar.
func (q *Query) Similar(g *Fingerprint) bool {
	return q.Distance(g) <= 1
}

// Distance is how far g is in the best alignment: the largest of its distances in units of the
// threshold, so 1 is just similar. Beyond twice a threshold it is infinite.
func (q *Query) Distance(g *Fingerprint) float64 {
	best := math.Inf(1)
	tone := ratio(q.turns[0].tone.distance(&g.tone), q.limits.Tone)
	if tone > 2 {
		return best
	}
	for i := range q.turns {
		f := &q.turns[i]
		least := max(tone, ratio(f.color.distance(&g.color), q.limits.Color))
		if least < min(best, 2) {
			best = min(best, max(least, f.closest(g, q.limits)))
		}
	}
	return best
}

// closest is the distance of the hashes in their best alignment.
func (f *Fingerprint) closest(g *Fingerprint, t Thresholds) float64 {
	best := math.Inf(1)
	for i := range f.views {
		best = min(best, f.views[i].distance(&g.views[0], t))
		best = min(best, f.views[0].distance(&g.views[i], t))
	}
	return best
}

func (v *view) distance(w *view, t Thresholds) float64 {
	dct := ratio(float64(v.dct.distance(&w.dct)), float64(t.DCT))
	if dct > 2 {
		return math.Inf(1)
	}
	gradient := ratio(v.gradient.distance(&w.gradient), t.Gradient)
	if gradient > 2 {
		return math.Inf(1)
	}
	return max(dct, gradient)
}

// ratio takes a threshold of 0 as one that nothing meets.
func ratio(distance, limit float64) float64 {
	if limit <= 0 {
		return math.Inf(1)
	}
	return distance / limit
}
