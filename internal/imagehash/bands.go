package imagehash

import (
	"fmt"
	"slices"
)

// A band is bandBits signs of low frequencies. More bits make fewer strangers meet, more bands
// let more near-duplicates meet.
const (
	bandCount = 8
	bandBits  = 16
)

// Bands are the keys a photo is stored under. A near-duplicate's Probes hit at least one of them
// with high probability; candidates hit most often come first.
func (f Fingerprint) Bands() []string {
	keys, order := make([]string, 0, viewCount*bandCount), bandOrder()
	for i := range f.views {
		keys = f.views[i].dct.bands(keys, namespace(i), order)
	}
	return distinct(keys)
}

// Probes are the keys to look a photo up by. The whole picture is sought among stored windows and
// the picture's windows among whole stored pictures, each in all four quarter turns.
func (f Fingerprint) Probes() []string {
	keys, order := make([]string, 0, 4*(viewCount+1)*bandCount), bandOrder()
	for range 4 {
		keys = f.views[0].dct.bands(keys, namespace(1), order)
		for i := range f.views {
			keys = f.views[i].dct.bands(keys, namespace(0), order)
		}
		f = f.quarter()
	}
	return distinct(keys)
}

func namespace(viewIndex int) byte {
	if viewIndex == 0 {
		return 'p'
	}
	return 'w'
}

func (h *dctHash) bands(keys []string, space byte, order []int) []string {
	for band := range bandCount {
		var value uint64
		for k := range bandBits {
			value = value<<1 | h.bit(order[band*bandBits+k])
		}
		keys = append(keys, fmt.Sprintf("%c%x:%x", space, band, value))
	}
	return keys
}

func distinct(keys []string) []string {
	slices.Sort(keys)
	return slices.Compact(keys)
}

// bandOrder lists the DCT frequencies from low to high, the mean left out: low ones survive crops
// and re-encodes best.
func bandOrder() []int {
	order := make([]int, 0, dctSide*dctSide-1)
	for i := 1; i < dctSide*dctSide; i++ {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return a/dctSide + a%dctSide - b/dctSide - b%dctSide
	})
	return order
}
