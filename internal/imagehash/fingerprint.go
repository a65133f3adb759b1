// Package imagehash decides whether two pictures show the same photograph.
package imagehash

import "image"

// Fingerprint is what the perceptual cache keeps of a photo: for each alignment a 256-bit DCT
// hash and a gradient hash, and once a coarse grid of colors and the tones. The zero value is
// similar to nothing.
type Fingerprint struct {
	views [viewCount]view
	color colors
	tone  tones
}

type view struct {
	dct      dctHash
	gradient gradientHash
}

// Of computes the fingerprint of a picture; its size and aspect do not matter, its EXIF
// orientation must have been applied. Transparent parts count as white.
func Of(img image.Image) Fingerprint {
	p, basis := shrink(img), cosines()
	var f Fingerprint
	if len(p.luma) == 0 {
		return f
	}
	for i, a := range alignments() {
		f.views[i].dct = dctOf(p, a, basis)
		f.views[i].gradient = gradientOf(p, a)
	}
	f.color, f.tone = colorsOf(p), tonesOf(p)
	return f
}

// quarter is f as it would be had the picture been turned clockwise by 90 degrees.
func (f *Fingerprint) quarter() Fingerprint {
	var g Fingerprint
	for i, source := range quarterViews() {
		g.views[i].dct = f.views[source].dct.quarter()
		g.views[i].gradient = f.views[source].gradient.quarter()
	}
	g.color, g.tone = f.color.quarter(), f.tone
	return g
}
