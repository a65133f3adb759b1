package localvision_test

import (
	"encoding/json"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/wastecoach/wastecoach/internal/localvision"
)

// vectors are the trained network's own outputs, as tools/vision/export.py wrote them before
// it rounded the weights.
type vectors struct {
	Photos []struct {
		Name    string    `json:"name"`
		Chances []float64 `json:"chances"`
	} `json:"photos"`
	Patterns []struct {
		Seed    int       `json:"seed"`
		Width   int       `json:"width"`
		Height  int       `json:"height"`
		Chances []float64 `json:"chances"`
	} `json:"patterns"`
}

const (
	tolerance      = 1e-3
	comparedPhotos = 50
)

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func setup(t testing.TB) *localvision.Model {
	t.Helper()
	m, err := localvision.New()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// pattern is a picture that tools/vision/export.py draws, too.
func pattern(seed, width, height int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		x, y := i%width, i/width
		channel := func(c int) uint8 {
			return uint8((x*(3+seed) + y*(5+2*seed) + 85*c + x*y*seed/16) % 256)
		}
		img.SetRGBA(x, y, color.RGBA{channel(0), channel(1), channel(2), 255})
	}
	return img
}

// apart is the largest difference of two lists.
func apart(got []float32, want []float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	most := 0.0
	for i := range want {
		most = max(most, math.Abs(float64(got[i])-want[i]))
	}
	return most
}

func TestPatternsGiveWhatTheTrainedNetworkGives(t *testing.T) {
	t.Parallel()
	m := setup(t)
	patterns := readVectors(t).Patterns
	if len(patterns) < 5 {
		t.Fatalf("%d patterns", len(patterns))
	}
	for _, p := range patterns {
		got, err := m.Look(t.Context(), pattern(p.Seed, p.Width, p.Height))
		if err != nil {
			t.Fatal(err)
		}
		if d := apart(got, p.Chances); d > tolerance {
			t.Errorf("pattern %d: %v, want %v: %g apart", p.Seed, got, p.Chances, d)
		}
	}
}

func TestPhotosGiveWhatTheTrainedNetworkGives(t *testing.T) {
	t.Parallel()
	m, shown := setup(t), photosByName(t)
	vectors := readVectors(t).Photos
	if len(vectors) != comparedPhotos {
		t.Fatalf("%d photos, want %d", len(vectors), comparedPhotos)
	}
	most := 0.0
	for _, v := range vectors {
		got, err := m.Look(t.Context(), asInTheWorker(t, shown[v.Name]))
		if err != nil {
			t.Fatal(err)
		}
		d := apart(got, v.Chances)
		most = max(most, d)
		if d > tolerance {
			t.Errorf("%s: %v, want %v: %g apart", v.Name, got, v.Chances, d)
		}
	}
	t.Logf("%d photos, at most %.2g apart", len(vectors), most)
}
