package imagehash

import (
	"cmp"
	"encoding/csv"
	"flag"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
)

var (
	curveFull  = flag.Bool("curve.full", false, "make near-duplicates of every photo")
	curveEvery = flag.Int("curve.every", 67, "make near-duplicates of every n-th photo only")
	update     = flag.Bool("update", false, "write testdata/curve.csv and testdata/neighbors.csv")
)

const (
	// mostCandidates is how many candidates a lookup compares, those that share most bands first.
	mostCandidates = 200
	wantHits       = 90.0
)

// curve is everything measured: distances are in units of the shipped thresholds.
type curve struct {
	mu         sync.Mutex
	photos     []samplePhoto
	prints     []Fingerprint
	near       map[string][]float64
	found      map[string]int
	candidates []int
	probes     int
	strangers  []pair
	known      []pair
	neighbors  []pair
}

type pair struct {
	first, second samplePhoto
	distance      float64
}

// TestCurve holds the shipped thresholds to their promise: at least 90 of 100 near-duplicates hit,
// by comparison and through the index, and no pair of different objects does.
func TestCurve(t *testing.T) {
	t.Parallel()
	photos, fromDisk := samplePhotos(t)
	c := &curve{photos: photos, near: map[string][]float64{}, found: map[string]int{}}
	c.prints = make([]Fingerprint, len(photos))
	parallel(len(photos), func(i int) {
		img, err := photos[i].open()
		if err != nil {
			t.Error(err)
			return
		}
		c.prints[i] = Of(img)
	})
	c.comparePairs(sameObject(t))
	stride := max(1, *curveEvery)
	if *curveFull || !fromDisk {
		stride = 1
	}
	c.measureNear(t, stride)
	c.report(t)
	if *update && fromDisk {
		c.write(t)
	}
}

func parallel(n int, f func(int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
}

func (c *curve) comparePairs(same map[string]bool) {
	parallel(len(c.prints), func(i int) {
		query := c.prints[i].Query(DefaultThresholds())
		for j := i + 1; j < len(c.prints); j++ {
			d := query.Distance(&c.prints[j])
			if math.IsInf(d, 1) {
				continue
			}
			p := pair{c.photos[i], c.photos[j], d}
			c.mu.Lock()
			switch {
			case p.first.neighbors(p.second):
				c.neighbors = append(c.neighbors, p)
			case same[fmt.Sprint(p.first, " ", p.second)]:
				c.known = append(c.known, p)
			default:
				c.strangers = append(c.strangers, p)
			}
			c.mu.Unlock()
		}
	})
	for _, list := range [][]pair{c.strangers, c.known, c.neighbors} {
		slices.SortFunc(list, func(a, b pair) int { return cmp.Compare(a.distance, b.distance) })
	}
}

func (c *curve) measureNear(t *testing.T, stride int) {
	t.Helper()
	index := map[string][]int{}
	for i := range c.prints {
		for _, band := range c.prints[i].Bands() {
			index[band] = append(index[band], i)
		}
	}
	parallel((len(c.photos)+stride-1)/stride, func(k int) {
		i := k * stride
		img, err := c.photos[i].open()
		if err != nil {
			t.Error(err)
			return
		}
		r := rand.New(rand.NewPCG(1, uint64(i)))
		for _, tr := range transforms() {
			c.lookUp(index, i, tr.name, tr.apply(img, r))
		}
	})
}

// lookUp asks for a near-duplicate of photo i as the cache does, and compares it directly as well.
func (c *curve) lookUp(index map[string][]int, i int, name string, img image.Image) {
	f := Of(img)
	d := f.Query(DefaultThresholds()).Distance(&c.prints[i])
	probes := f.Probes()
	shared := map[int]int{}
	for _, probe := range probes {
		for _, id := range index[probe] {
			shared[id]++
		}
	}
	rank := 0
	for _, n := range shared {
		if n > shared[i] {
			rank++
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.near[name] = append(c.near[name], d)
	c.candidates = append(c.candidates, len(shared))
	c.probes += len(probes)
	if d <= 1 && shared[i] > 0 && rank < mostCandidates {
		c.found[name]++
	}
}

func (c *curve) report(t *testing.T) {
	t.Helper()
	var total, hits, found int
	for _, tr := range transforms() {
		n, h := len(c.near[tr.name]), within(c.near[tr.name], 1)
		total, hits, found = total+n, hits+h, found+c.found[tr.name]
		t.Logf("%-28s hit %6.2f %%  through the index %6.2f %%  of %d",
			tr.name, percent(h, n), percent(c.found[tr.name], n), n)
	}
	slices.Sort(c.candidates)
	t.Logf("all: hit %.2f %%, through the index %.2f %%; probes %d, candidates median %d, most %d",
		percent(hits, total), percent(found, total), c.probes/max(1, total),
		c.candidates[len(c.candidates)/2], c.candidates[len(c.candidates)-1])
	t.Logf("pairs of one object under far names that match: %d", withinPairs(c.known, 1))
	t.Logf("pairs of neighbors that match: %d", withinPairs(c.neighbors, 1))
	for _, p := range c.strangers[:min(8, len(c.strangers))] {
		t.Logf("nearest different objects: %.3f %s %s", p.distance, p.first, p.second)
	}
	if got := percent(hits, total); got < wantHits {
		t.Errorf("near-duplicates hit %.2f %%, want %.0f %%", got, wantHits)
	}
	if got := percent(found, total); got < wantHits {
		t.Errorf("near-duplicates hit %.2f %% through the index, want %.0f %%", got, wantHits)
	}
	if n := withinPairs(c.strangers, 1); n > 0 {
		t.Errorf("%d pairs of different objects match, want 0", n)
	}
}

// write stores the curve: thresholds scaled by a factor, hits of each transform, false pairs.
func (c *curve) write(t *testing.T) {
	t.Helper()
	head := []string{
		"factor", "dct", "gradient", "color", "tone",
		"false_pairs", "neighbor_pairs", "near_duplicates", "all",
	}
	for _, tr := range transforms() {
		head = append(head, tr.name)
	}
	rows := [][]string{head}
	for step := 6; step <= 30; step++ {
		rows = append(rows, c.row(float64(step)/20))
	}
	writeCSV(t, "curve.csv", rows)
	rows = [][]string{{"first", "second", "distance"}}
	for _, p := range c.neighbors[:withinPairs(c.neighbors, 1)] {
		d := fmt.Sprintf("%.3f", p.distance)
		rows = append(rows, []string{p.first.String(), p.second.String(), d})
	}
	writeCSV(t, "neighbors.csv", rows)
}

func (c *curve) row(factor float64) []string {
	d := DefaultThresholds()
	row := []string{
		fmt.Sprintf("%.2f", factor), fmt.Sprintf("%.1f", factor*float64(d.DCT)),
		fmt.Sprintf("%.1f", factor*d.Gradient), fmt.Sprintf("%.1f", factor*d.Color),
		fmt.Sprintf("%.1f", factor*d.Tone), fmt.Sprint(withinPairs(c.strangers, factor)),
		fmt.Sprint(withinPairs(c.neighbors, factor)),
	}
	var hits, total int
	var rates []string
	for _, tr := range transforms() {
		h, n := within(c.near[tr.name], factor), len(c.near[tr.name])
		hits, total = hits+h, total+n
		rates = append(rates, fmt.Sprintf("%.2f", percent(h, n)))
	}
	row = append(row, fmt.Sprint(total), fmt.Sprintf("%.2f", percent(hits, total)))
	return append(row, rates...)
}

func writeCSV(t *testing.T, name string, rows [][]string) {
	t.Helper()
	f, err := os.Create(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	w := csv.NewWriter(f)
	if err := cmp.Or(w.WriteAll(rows), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func within(distances []float64, limit float64) (n int) {
	for _, d := range distances {
		if d <= limit {
			n++
		}
	}
	return n
}

func withinPairs(pairs []pair, limit float64) (n int) {
	for _, p := range pairs {
		if p.distance <= limit {
			n++
		}
	}
	return n
}

func percent(part, whole int) float64 { return 100 * float64(part) / float64(max(1, whole)) }
