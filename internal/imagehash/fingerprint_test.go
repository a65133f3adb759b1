package imagehash

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestQuarterIsThePictureTurned(t *testing.T) {
	t.Parallel()
	img := drawn(3)
	f := Of(img)
	for n := 1; n <= 4; n++ {
		f = f.quarter()
		turned := Of(quarters(img, n))
		for i := range f.views {
			if d := f.views[i].dct.distance(&turned.views[i].dct); d > 4 {
				t.Errorf("%d quarters, view %d: DCT distance %d, want at most 4", n, i, d)
			}
			if d := f.views[i].gradient.distance(&turned.views[i].gradient); d > 4 {
				t.Errorf("%d quarters, view %d: gradient distance %.1f, want at most 4", n, i, d)
			}
		}
		if d := f.color.distance(&turned.color); d > 1 {
			t.Errorf("%d quarters: color distance %.1f, want at most 1", n, d)
		}
	}
	if f != Of(img) {
		t.Error("four quarters do not give the fingerprint back")
	}
}

func TestSimilarIsSymmetric(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	limits := DefaultThresholds()
	for _, tr := range transforms() {
		img := drawn(5)
		f, g := Of(img), Of(tr.apply(img, r))
		there, back := f.Query(limits).Distance(&g), g.Query(limits).Distance(&f)
		if there != back {
			t.Errorf("%s: %.3f there, %.3f back", tr.name, there, back)
		}
	}
}

func TestSimilarRefuses(t *testing.T) {
	t.Parallel()
	plain := func(c color.Color) Fingerprint {
		img := image.NewRGBA(image.Rect(0, 0, 200, 150))
		draw.Draw(img, img.Bounds(), image.NewUniform(c), image.Point{}, draw.Src)
		return Of(img)
	}
	lid := func(c color.Color) Fingerprint {
		img := image.NewRGBA(image.Rect(0, 0, 200, 150))
		draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(40, 30, 160, 120), image.NewUniform(c), image.Point{}, draw.Src)
		return Of(img)
	}
	tests := []struct {
		name string
		f, g Fingerprint
	}{
		{"two zero values", Fingerprint{}, Fingerprint{}},
		{"two pictures without pixels", Of(image.NewRGBA(image.Rectangle{})), Fingerprint{}},
		{"two blank walls", plain(color.White), plain(color.White)},
		{"a blank wall and a gray one", plain(color.White), plain(color.Gray{Y: 90})},
		{"red and blue of one shape", lid(color.RGBA{R: 200, A: 255}), lid(color.RGBA{B: 255, A: 255})},
		{"black and gray of one shape", lid(color.Black), lid(color.Gray{Y: 120})},
		{"two drawings", Of(drawn(1)), Of(drawn(2))},
	}
	for _, tt := range tests {
		if tt.f.Similar(tt.g, DefaultThresholds()) {
			t.Errorf("%s are similar", tt.name)
		}
	}
	if f := Of(drawn(1)); f.Similar(f, Thresholds{}) || !f.Similar(f, DefaultThresholds()) {
		t.Error("a picture is similar to itself exactly when the thresholds allow anything")
	}
}

func TestOfIgnoresTypeAndOrigin(t *testing.T) {
	t.Parallel()
	img := drawn(4)
	rgba := image.NewNRGBA(image.Rect(-7, 11, img.Bounds().Dx()-7, img.Bounds().Dy()+11))
	draw.Draw(rgba, rgba.Bounds(), img, image.Point{}, draw.Src)
	whole := image.NewRGBA(image.Rect(0, 0, 400, 300))
	draw.Draw(whole, image.Rect(50, 40, 400, 300), img, image.Point{}, draw.Src)
	part := whole.SubImage(img.Bounds().Add(image.Pt(50, 40)))
	if Of(img) != Of(rgba) || Of(img) != Of(part) {
		t.Error("the same pixels in another type or place have another fingerprint")
	}
	for _, size := range []image.Rectangle{
		image.Rect(0, 0, 1, 1), image.Rect(0, 0, 1, 900), image.Rect(0, 0, 900, 1),
		image.Rect(0, 0, 127, 3), image.Rect(0, 0, 129, 129),
	} {
		Of(image.NewGray(size))
	}
}

func TestTextKeepsTheFingerprint(t *testing.T) {
	t.Parallel()
	f := Of(drawn(6))
	text, err := f.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	var g Fingerprint
	if err := g.UnmarshalText(text); err != nil || f != g {
		t.Errorf("another fingerprint after %d bytes of text: %v", len(text), err)
	}
	if len(text) > 3000 {
		t.Errorf("text has %d bytes, want at most 3,000", len(text))
	}
	if err := g.UnmarshalText([]byte("0:" + string(text[2:]))); !errors.Is(err, ErrVersion) {
		t.Errorf("of another version: got %v, want %v", err, ErrVersion)
	}
	for _, broken := range []string{
		"", "1:", "1:!!", string(text[:len(text)-4]), string(text) + "AAAA",
	} {
		if err := g.UnmarshalText([]byte(broken)); err == nil {
			t.Errorf("%.8q of %d bytes was read", broken, len(broken))
		}
	}
	if f != g {
		t.Error("a text that could not be read changed the fingerprint")
	}
}

func TestBandsAreFewAndStable(t *testing.T) {
	t.Parallel()
	f := Of(drawn(8))
	bands, probes := f.Bands(), f.Probes()
	if len(bands) > viewCount*bandCount || len(probes) > 4*(viewCount+1)*bandCount {
		t.Errorf("%d bands and %d probes", len(bands), len(probes))
	}
	known := " " + strings.Join(probes, " ") + " "
	for _, band := range bands {
		if strings.HasPrefix(band, "p") && !strings.Contains(known, " "+band+" ") {
			t.Errorf("a picture does not look for its own band %s", band)
		}
	}
}

// The large files of the sample are the small ones' originals: each must find its own.
func TestOriginalsMatchTheirSmallCopies(t *testing.T) {
	t.Parallel()
	photos, fromDisk := samplePhotos(t)
	if !fromDisk {
		t.Skip("needs the photos")
	}
	root := filepath.Join("..", "..", "..", "shared", "photos", "original")
	if dir := os.Getenv("WASTECOACH_PHOTOS"); dir != "" {
		root = filepath.Join(dir, "original")
	}
	missed, total := 0, 0
	for i, p := range photos {
		if !*curveFull && i%8 != 0 {
			continue
		}
		large, err := openJPEG(filepath.Join(root, p.class, p.String()+".jpg"))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		small, err := p.open()
		if err != nil {
			t.Fatal(err)
		}
		total++
		if !Of(large).Similar(Of(small), DefaultThresholds()) {
			missed++
			t.Logf("%s is not similar to its small copy", p)
		}
	}
	t.Logf("%d of %d originals match", total-missed, total)
	if total == 0 || missed*100 > total {
		t.Errorf("%d of %d originals missed, want at most 1 %%", missed, total)
	}
}

func BenchmarkOf1024(b *testing.B) {
	img := resize(drawn(1), 1024.0/288)
	for b.Loop() {
		Of(img)
	}
}

func BenchmarkQueryDistance(b *testing.B) {
	f, g := Of(drawn(1)), Of(reencode(drawn(1), 40))
	query := f.Query(DefaultThresholds())
	for b.Loop() {
		query.Distance(&g)
	}
}

func BenchmarkProbes(b *testing.B) {
	f := Of(drawn(1))
	for b.Loop() {
		f.Probes()
	}
}
