package imagehash

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// textVersion names the method and the layout: fingerprints of another method are not comparable.
const textVersion = "1:"

// ErrVersion tells that a stored fingerprint was made by another method.
var ErrVersion = errors.New("fingerprint of another version")

type wireView struct {
	DCT        dctHash
	Rise, Fall [gradientWords]uint64
}

type wire struct {
	Views [viewCount]wireView
	Color colors
	Tone  tones
}

// MarshalText writes f in about 2.7 kB of text: a version, then base64.
func (f Fingerprint) MarshalText() ([]byte, error) {
	w := wire{Color: f.color, Tone: f.tone}
	for i := range f.views {
		v := &f.views[i]
		w.Views[i] = wireView{DCT: v.dct, Rise: v.gradient.rise, Fall: v.gradient.fall}
	}
	var raw bytes.Buffer
	if err := binary.Write(&raw, binary.BigEndian, w); err != nil {
		return nil, fmt.Errorf("writing fingerprint: %w", err)
	}
	return base64.RawURLEncoding.AppendEncode([]byte(textVersion), raw.Bytes()), nil
}

// UnmarshalText reads what MarshalText wrote; ErrVersion when another method wrote it.
func (f *Fingerprint) UnmarshalText(text []byte) error {
	body, ok := bytes.CutPrefix(text, []byte(textVersion))
	if !ok {
		return ErrVersion
	}
	raw, err := base64.RawURLEncoding.AppendDecode(nil, body)
	if err != nil {
		return fmt.Errorf("reading fingerprint: %w", err)
	}
	var w wire
	if len(raw) != binary.Size(w) {
		return fmt.Errorf("reading fingerprint: %d bytes, want %d", len(raw), binary.Size(w))
	}
	if _, err := binary.Decode(raw, binary.BigEndian, &w); err != nil {
		return fmt.Errorf("reading fingerprint: %w", err)
	}
	*f = Fingerprint{color: w.Color, tone: w.Tone}
	for i := range w.Views {
		v := &w.Views[i]
		f.views[i] = view{dct: v.DCT, gradient: gradientHash{rise: v.Rise, fall: v.Fall}}
	}
	return nil
}
