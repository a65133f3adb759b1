package photo

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"testing"
)

// corners is a picture with another color in each corner, so that every turn and mirror shows.
func corners(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	fill := func(r image.Rectangle, c color.RGBA) {
		draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	fill(image.Rect(0, 0, w/2, h/2), color.RGBA{R: 220, A: 255})
	fill(image.Rect(w/2, 0, w, h/2), color.RGBA{G: 220, A: 255})
	fill(image.Rect(0, h/2, w/2, h), color.RGBA{B: 220, A: 255})
	fill(image.Rect(w/2, h/2, w, h), color.RGBA{R: 220, G: 220, A: 255})
	return img
}

func encodeJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encodePNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exif is a little-endian TIFF block with an orientation and a GPS position in Seoul.
func exif(orientation uint16) []byte {
	var b bytes.Buffer
	put := func(values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, binary.LittleEndian, v)
		}
	}
	const gpsAt, latitudeAt = 38, 104
	b.WriteString("II*\x00")
	put(uint32(8), uint16(2))
	put(uint16(0x0112), uint16(3), uint32(1), orientation, uint16(0))
	put(uint16(0x8825), uint16(4), uint32(1), uint32(gpsAt), uint32(0))
	put(uint16(5))
	put(uint16(0), uint16(1), uint32(4), [4]byte{2, 3, 0, 0})
	put(uint16(1), uint16(2), uint32(2), [4]byte{'N'})
	put(uint16(2), uint16(5), uint32(3), uint32(latitudeAt))
	put(uint16(3), uint16(2), uint32(2), [4]byte{'E'})
	put(uint16(4), uint16(5), uint32(3), uint32(latitudeAt+24))
	put(uint32(0))
	put(uint32(37), uint32(1), uint32(33), uint32(1), uint32(59), uint32(1))
	put(uint32(126), uint32(1), uint32(58), uint32(1), uint32(41), uint32(1))
	return b.Bytes()
}

// withEXIF puts EXIF, XMP and a comment right after the start of a JPEG.
func withEXIF(data []byte, orientation uint16) []byte {
	out := append([]byte{}, data[:2]...)
	for _, s := range []struct {
		marker byte
		body   []byte
	}{
		{0xe1, append([]byte("Exif\x00\x00"), exif(orientation)...)},
		{0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00" +
			"<x:xmpmeta xmlns:x='adobe:ns:meta/'>secret</x:xmpmeta>")},
		{0xfe, []byte("secret comment")},
	} {
		out = append(out, 0xff, s.marker)
		out = binary.BigEndian.AppendUint16(out, uint16(len(s.body)+2))
		out = append(out, s.body...)
	}
	return append(out, data[2:]...)
}

// forgedPNG is a PNG of a header and nothing to decode: its size is a mere claim.
func forgedPNG(w, h uint32, depth, colorType byte) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	header := binary.BigEndian.AppendUint32(nil, w)
	header = binary.BigEndian.AppendUint32(header, h)
	out = chunk(out, "IHDR", append(header, depth, colorType, 0, 0, 0))
	out = chunk(out, "IDAT", []byte{0x78, 0x9c})
	return chunk(out, "IEND", nil)
}

func chunk(out []byte, name string, body []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	named := append([]byte(name), body...)
	out = append(out, named...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(named))
}

// gifBomb claims 65,535 by 65,535 pixels in 34 bytes.
func gifBomb() []byte {
	out := []byte("GIF89a\xff\xff\xff\xff\x80\x00\x00\x00\x00\x00\xff\xff\xff")
	out = append(out, 0x2c, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0)
	return append(out, 2, 1, 0x2c, 0, 0x3b)
}

// losslessWebP is a w by h WebP of alternating columns, one bit a pixel, as RFC 9649 lays out VP8L.
func losslessWebP(w, h int, even, odd uint8) []byte {
	var bits []byte
	var n int
	put := func(value uint32, count int) {
		for i := range count {
			if n%8 == 0 {
				bits = append(bits, 0)
			}
			bits[n/8] |= byte(value>>i&1) << (n % 8)
			n++
		}
	}
	put(0x2f, 8)
	put(uint32(w-1), 14)
	put(uint32(h-1), 14)
	put(0, 4) // no alpha, version 0
	put(0, 3) // no transform, no color cache, no meta prefix codes
	put(1, 1) // green: a simple code of two 8-bit symbols
	put(1, 1)
	put(1, 1)
	put(uint32(even), 8)
	put(uint32(odd), 8)
	for _, symbol := range []uint32{0, 0, 255, 0} { // red, blue, alpha, distance: one symbol each
		put(1, 1)
		put(0, 1)
		put(1, 1)
		put(symbol, 8)
	}
	for range h {
		for x := range w {
			put(uint32(x%2), 1)
		}
	}
	if len(bits)%2 == 1 {
		bits = append(bits, 0)
	}
	out := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(bits)))
	out = binary.LittleEndian.AppendUint32(append(out, "WEBPVP8L"...), uint32(len(bits)))
	return append(out, bits...)
}
