package photo

import (
	"bytes"
	"fmt"
	"slices"
)

// Kind is the media type of an accepted upload.
type Kind string

// The accepted kinds.
const (
	JPEG Kind = "image/jpeg"
	PNG  Kind = "image/png"
	WebP Kind = "image/webp"
)

// UnsupportedTypeError tells what an upload is instead of a photo, and what to send.
type UnsupportedTypeError struct {
	Detected string // media type, application/octet-stream when unknown
	Hint     string
}

func (e *UnsupportedTypeError) Error() string {
	return fmt.Sprintf("%s is not an accepted kind of photo: %s", e.Detected, e.Hint)
}

const (
	hintAny  = "send JPEG, PNG or WebP"
	hintHEIF = "send JPEG; on iPhone choose Settings, Camera, Formats, Most Compatible"
)

// Sniff tells the kind of photo by its first bytes, never by a name or a declared type. It returns
// ErrEmpty or *UnsupportedTypeError for anything else.
func Sniff(data []byte) (Kind, error) {
	if len(data) == 0 {
		return "", ErrEmpty
	}
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return JPEG, nil
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return PNG, nil
	case hasAt(data, 0, "RIFF") && hasAt(data, 8, "WEBP"):
		return WebP, nil
	case hasAt(data, 4, "ftyp"):
		return "", sniffISO(data)
	}
	return "", sniffOther(data)
}

// sniffISO names the brands of the ISO base media format that phones produce.
func sniffISO(data []byte) error {
	brand := string(data[8:min(len(data), 12)])
	switch {
	case slices.Contains([]string{"avif", "avis"}, brand):
		return &UnsupportedTypeError{Detected: "image/avif", Hint: hintAny}
	case slices.Contains([]string{
		"heic", "heix", "heim", "heis", "hevc", "hevx", "hevm", "hevs", "mif1", "msf1",
	}, brand):
		return &UnsupportedTypeError{Detected: "image/heic", Hint: hintHEIF}
	}
	return &UnsupportedTypeError{Detected: "video/mp4", Hint: hintAny}
}

func sniffOther(data []byte) error {
	for _, known := range []struct{ magic, detected string }{
		{"GIF8", "image/gif"},
		{"BM", "image/bmp"},
		{"II*\x00", "image/tiff"},
		{"MM\x00*", "image/tiff"},
		{"%PDF-", "application/pdf"},
		{"PK\x03\x04", "application/zip"},
		{"\xff\x0a", "image/jxl"},
		{"\x00\x00\x00\x0cJXL ", "image/jxl"},
		{"<svg", "image/svg+xml"},
	} {
		if hasAt(data, 0, known.magic) {
			return &UnsupportedTypeError{Detected: known.detected, Hint: hintAny}
		}
	}
	return &UnsupportedTypeError{Detected: "application/octet-stream", Hint: hintAny}
}

func hasAt(data []byte, offset int, magic string) bool {
	return len(data) >= offset && bytes.HasPrefix(data[offset:], []byte(magic))
}
