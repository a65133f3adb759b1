package top

import (
	"slices"
	"strings"
	"time"
)

const (
	// bucket is what one column of a sparkline tells of.
	bucket = time.Second
	// buckets is how many are remembered.
	buckets = 120
	// unknown marks a bucket in which nothing was seen.
	unknown = -1.0
)

// history is how much a counter grew in each of the last buckets.
type history struct {
	ring  [buckets]float64
	seen  time.Time // when the counter was read last
	value int64
}

// add takes a counter's value in. One that fell began anew. How it grew while nobody looked for long
// is not known.
func (h *history) add(now time.Time, value int64) {
	if h.seen.IsZero() {
		for i := range h.ring {
			h.ring[i] = unknown
		}
		h.seen, h.value = now, value
		return
	}
	grown := value - h.value
	if grown < 0 {
		grown = value
	}
	from, to := h.seen.UnixNano()/int64(bucket), now.UnixNano()/int64(bucket)
	if to-from >= buckets {
		from = to - buckets + 1
	}
	gap := to-from > staleBuckets
	for at := from + 1; at <= to; at++ {
		h.ring[at%buckets] = 0
		if gap {
			h.ring[at%buckets] = unknown
		}
	}
	h.seen, h.value = now, value
	if i := to % buckets; !gap {
		h.ring[i] = max(h.ring[i], 0) + float64(grown)
	}
}

// staleBuckets is the gap above which the buckets between two readings are unknown.
const staleBuckets = int64(staleAfter / bucket)

// last are the rates per second of the n buckets before now's, which is not over yet.
func (h *history) last(now time.Time, n int) []float64 {
	rates := make([]float64, 0, n)
	if h == nil || h.seen.IsZero() {
		return rates
	}
	end, seen := now.UnixNano()/int64(bucket), h.seen.UnixNano()/int64(bucket)
	for at := end - int64(min(n, buckets-1)); at < end; at++ {
		rate := unknown
		if at <= seen && at > seen-buckets {
			rate = h.ring[at%buckets]
		}
		rates = append(rates, rate)
	}
	return rates
}

const rateOver = 10 // buckets

// rate is the mean of the last rateOver buckets that are known.
func (h *history) rate(now time.Time) (perSecond float64, known bool) {
	sum, n := 0.0, 0
	for _, r := range h.last(now, rateOver) {
		if r != unknown {
			sum += r
			n++
		}
	}
	if n == 0 {
		return 0, false
	}
	return sum / float64(n) / bucket.Seconds(), true
}

var eighths = []rune(" ▁▂▃▄▅▆▇█")

// spark draws rates over height lines, the newest at the right, what is unknown as nothing.
func spark(rates []float64, width, height int) []string {
	peak := 0.0
	for _, r := range rates {
		peak = max(peak, r)
	}
	if len(rates) > width {
		rates = rates[len(rates)-width:]
	}
	rates = append(slices.Repeat([]float64{unknown}, width-len(rates)), rates...)
	lines := make([]string, height)
	const full = 8
	for row := range lines {
		var b strings.Builder
		below := (height - 1 - row) * full
		for _, r := range rates {
			level := 0
			switch {
			case r == unknown:
			case peak == 0 || r == 0:
				level = 1
			default:
				level = max(1, int(r/peak*float64(height*full)+0.5))
			}
			b.WriteRune(eighths[min(max(level-below, 0), full)])
		}
		lines[row] = b.String()
	}
	return lines
}
