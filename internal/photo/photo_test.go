package photo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"runtime"
	"testing"

	"github.com/bep/imagemeta"
)

func TestNormalizeRefuses(t *testing.T) {
	t.Parallel()
	good := encodeJPEG(t, corners(64, 48))
	garbage := append([]byte("\xff\xd8\xff\xe0"), bytes.Repeat([]byte{7}, 500)...)
	long := append(append([]byte{}, good...), make([]byte, 1<<20)...)
	tests := []struct {
		name   string
		data   []byte
		limits Limits
		want   error
	}{
		{"no bytes", nil, Limits{}, ErrEmpty},
		{"cut in half", good[:len(good)/2], Limits{}, ErrCorrupt},
		{"only the magic", good[:3], Limits{}, ErrCorrupt},
		{"magic and garbage", garbage, Limits{}, ErrCorrupt},
		{"too many bytes", long, Limits{MaxBytes: 1 << 20}, ErrTooLarge},
		{"20,000 x 20,000 PNG", forgedPNG(20000, 20000, 8, 2), Limits{}, ErrTooManyPixels},
		{"largest PNG header", forgedPNG(1<<31-1, 1<<31-1, 8, 0), Limits{}, ErrCorrupt},
		{"huge 16-bit PNG header", forgedPNG(1<<29, 1<<29, 16, 2), Limits{}, ErrTooManyPixels},
		{"16 bits a channel count twice", forgedPNG(6000, 6000, 16, 2), Limits{}, ErrTooManyPixels},
		{"header without pixels", forgedPNG(6000, 6000, 8, 2), Limits{}, ErrCorrupt},
		{"one pixel too many", good, Limits{MaxPixels: 64*48 - 1}, ErrTooManyPixels},
		{"WebP cut short", losslessWebP(40, 20, 0, 255)[:40], Limits{}, ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := Normalize(t.Context(), tt.data, tt.limits); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestNormalizeNamesOtherTypes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		data     string
		detected string
		hint     string
	}{
		{string(gifBomb()), "image/gif", hintAny},
		{"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "image/heic", hintHEIF},
		{"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00", "image/heic", hintHEIF},
		{"\x00\x00\x00\x18ftypavif\x00\x00\x00\x00", "image/avif", hintAny},
		{"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", "video/mp4", hintAny},
		{"\x00\x00\x00\x18ftyp", "video/mp4", hintAny},
		{"BM123456", "image/bmp", hintAny},
		{"II*\x00....", "image/tiff", hintAny},
		{"%PDF-1.7", "application/pdf", hintAny},
		{"PK\x03\x04" + string(encodeJPEG(t, corners(8, 8))), "application/zip", hintAny},
		{"<svg onload='x()'>", "image/svg+xml", hintAny},
		{"<script>", "application/octet-stream", hintAny},
		{"RIFF\x00\x00\x00\x00WAVE", "application/octet-stream", hintAny},
		{"x", "application/octet-stream", hintAny},
	}
	for _, tt := range tests {
		_, err := Normalize(t.Context(), []byte(tt.data), Limits{})
		var unsupported *UnsupportedTypeError
		if !errors.As(err, &unsupported) {
			t.Errorf("%.12q: got %v, want an UnsupportedTypeError", tt.data, err)
			continue
		}
		if unsupported.Detected != tt.detected || unsupported.Hint != tt.hint {
			t.Errorf("%.12q: got %v, want %s: %s", tt.data, unsupported, tt.detected, tt.hint)
		}
	}
	if len(gifBomb()) != 34 {
		t.Errorf("the bomb has %d bytes, want 34", len(gifBomb()))
	}
}

// A forged header must be refused before memory is taken for its pixels.
func TestNormalizeRefusesBeforeDecoding(t *testing.T) { //nolint:paralleltest // counts memory
	data := forgedPNG(20000, 20000, 8, 6)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Normalize(t.Context(), data, Limits{})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooManyPixels) {
		t.Errorf("got %v, want %v", err, ErrTooManyPixels)
	}
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<20 {
		t.Errorf("took %d bytes of memory, want less than 1 MiB", taken)
	}
}

func TestNormalizeOrients(t *testing.T) {
	t.Parallel()
	const red, green, blue, yellow = "red", "green", "blue", "yellow"
	// Top left, top right, bottom left, bottom right as shown.
	want := map[int][4]string{
		1: {red, green, blue, yellow},
		2: {green, red, yellow, blue},
		3: {yellow, blue, green, red},
		4: {blue, yellow, red, green},
		5: {red, blue, green, yellow},
		6: {blue, red, yellow, green},
		7: {yellow, green, blue, red},
		8: {green, yellow, red, blue},
	}
	plain := encodeJPEG(t, corners(96, 64))
	for orientation := 1; orientation <= 8; orientation++ {
		p, err := Normalize(t.Context(), withEXIF(plain, uint16(orientation)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		w, h := 96, 64
		if orientation >= 5 {
			w, h = h, w
		}
		if p.Width != w || p.Height != h || p.OriginalWidth != 96 || p.OriginalHeight != 64 {
			t.Errorf("orientation %d: got %d x %d of %d x %d", orientation,
				p.Width, p.Height, p.OriginalWidth, p.OriginalHeight)
		}
		out, err := jpeg.Decode(bytes.NewReader(p.JPEG))
		if err != nil {
			t.Fatal(err)
		}
		got := [4]string{
			named(out.At(w/4, h/4)), named(out.At(3*w/4, h/4)),
			named(out.At(w/4, 3*h/4)), named(out.At(3*w/4, 3*h/4)),
		}
		if got != want[orientation] {
			t.Errorf("orientation %d: got %v, want %v", orientation, got, want[orientation])
		}
	}
}

func named(c color.Color) string {
	r, g, b, _ := c.RGBA()
	high := func(v uint32) bool { return v > 0x8000 }
	switch {
	case high(r) && high(g) && high(b):
		return "white"
	case high(r) && high(g):
		return "yellow"
	case high(r):
		return "red"
	case high(g):
		return "green"
	case high(b):
		return "blue"
	}
	return "black"
}

func TestNormalizeIgnoresBrokenOrientation(t *testing.T) {
	t.Parallel()
	for _, orientation := range []uint16{0, 9, 65535} {
		data := withEXIF(encodeJPEG(t, corners(96, 64)), orientation)
		p, err := Normalize(t.Context(), data, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != 96 {
			t.Errorf("orientation %d: got %d pixels wide, want 96", orientation, p.Width)
		}
	}
}

func TestNormalizeDropsMetadata(t *testing.T) {
	t.Parallel()
	data := withEXIF(encodeJPEG(t, corners(96, 64)), 6)
	data = append(data, "PK\x03\x04 secret archive behind the picture"...)
	if tags := metadata(t, data); tags["GPSLatitude"] == "" || tags["Orientation"] == "" {
		t.Fatalf("the fixture has no GPS position: %v", tags)
	}
	p, err := Normalize(t.Context(), data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if tags := metadata(t, p.JPEG); len(tags) != 0 {
		t.Errorf("metadata is left: %v", tags)
	}
	for _, secret := range []string{"Exif", "secret", "adobe", "PK\x03\x04"} {
		if bytes.Contains(p.JPEG, []byte(secret)) {
			t.Errorf("%q is left in the picture", secret)
		}
	}
}

func metadata(t *testing.T, data []byte) map[string]string {
	t.Helper()
	tags := map[string]string{}
	_, err := imagemeta.Decode(imagemeta.Options{
		R:               bytes.NewReader(data),
		ImageFormat:     imagemeta.JPEG,
		Sources:         imagemeta.EXIF | imagemeta.XMP | imagemeta.IPTC,
		ShouldHandleTag: func(imagemeta.TagInfo) bool { return true },
		HandleTag: func(tag imagemeta.TagInfo) error {
			tags[tag.Tag] = fmt.Sprint(tag.Value)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

func TestNormalizeResizes(t *testing.T) {
	t.Parallel()
	tests := []struct{ w, h, wantW, wantH int }{
		{3000, 2000, 1024, 683},
		{2000, 3000, 683, 1024},
		{2048, 1536, 1024, 768},
		{1025, 10, 1024, 10},
		{1024, 768, 1024, 768},
		{1, 1, 1, 1},
		{5000, 1, 1024, 1},
	}
	for _, tt := range tests {
		p, err := Normalize(t.Context(), encodePNG(t, corners(tt.w, tt.h)), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Width != tt.wantW || p.Height != tt.wantH || p.Kind != PNG {
			t.Errorf("%d x %d: got %d x %d %s, want %d x %d", tt.w, tt.h,
				p.Width, p.Height, p.Kind, tt.wantW, tt.wantH)
		}
		config, err := jpeg.DecodeConfig(bytes.NewReader(p.JPEG))
		if err != nil || config.Width != tt.wantW || config.Height != tt.wantH {
			t.Errorf("%d x %d: JPEG of %d x %d, %v", tt.w, tt.h, config.Width, config.Height, err)
		}
	}
}

func TestNormalizeFlattensAlpha(t *testing.T) {
	t.Parallel()
	for _, size := range []int{40, 1500, 2500} {
		img := image.NewNRGBA(image.Rect(0, 0, size, size))
		for y := range size {
			for x := range size / 2 {
				img.SetNRGBA(x, y, color.NRGBA{R: 220, A: 255})
			}
		}
		p, err := Normalize(t.Context(), encodePNG(t, img), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		left, right := p.Image.At(p.Width/4, p.Height/2), p.Image.At(3*p.Width/4, p.Height/2)
		if named(left) != "red" || named(right) != "white" {
			t.Errorf("%d pixels: got %v and %v, want red and white", size, left, right)
		}
	}
}

func TestNormalizeReadsWebP(t *testing.T) {
	t.Parallel()
	p, err := Normalize(t.Context(), losslessWebP(40, 20, 220, 220), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Kind != WebP || p.Width != 40 || p.Height != 20 || named(p.Image.At(20, 10)) != "green" {
		t.Errorf("got %s of %d x %d in %v", p.Kind, p.Width, p.Height, p.Image.At(20, 10))
	}
}

func TestGuardTurnsPanicIntoCorrupt(t *testing.T) {
	t.Parallel()
	_, err := guard(nil, func(io.Reader) (int, error) {
		panic("index out of range")
	})
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v, want %v", err, ErrCorrupt)
	}
}

func TestNormalizerBoundsDecoding(t *testing.T) {
	t.Parallel()
	n := NewNormalizer(Limits{}, 1)
	data := encodeJPEG(t, corners(64, 48))
	if _, err := n.Normalize(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	n.slots <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := n.Normalize(ctx, data); !errors.Is(err, context.Canceled) {
		t.Errorf("with no free slot: got %v, want %v", err, context.Canceled)
	}
	<-n.slots
	if _, err := n.Normalize(t.Context(), data); err != nil {
		t.Errorf("after the slot was freed: %v", err)
	}
}

func FuzzNormalize(f *testing.F) {
	plain := encodeJPEG(f, corners(32, 24))
	f.Add(plain)
	f.Add(withEXIF(plain, 6))
	f.Add(encodePNG(f, corners(32, 24)))
	f.Add(losslessWebP(16, 16, 0, 255))
	f.Add(gifBomb())
	f.Add(forgedPNG(20000, 20000, 8, 2))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Normalize(t.Context(), data, Limits{MaxBytes: 1 << 16, MaxPixels: 1 << 16})
		if err != nil {
			return
		}
		config, err := jpeg.DecodeConfig(bytes.NewReader(p.JPEG))
		if err != nil || config.Width != p.Width || config.Height != p.Height {
			t.Errorf("JPEG of %d x %d, want %d x %d: %v",
				config.Width, config.Height, p.Width, p.Height, err)
		}
	})
}

func BenchmarkNormalize12Megapixels(b *testing.B) {
	data := encodeJPEG(b, corners(4000, 3000))
	for b.Loop() {
		if _, err := Normalize(b.Context(), data, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
