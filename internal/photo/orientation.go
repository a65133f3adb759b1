package photo

import (
	"bytes"
	"image"
	"time"

	"github.com/bep/imagemeta"
)

// metadataTimeout bounds the search for the tag; a photo with tangled metadata stays as it is.
const metadataTimeout = 2 * time.Second

// orientation reads the EXIF orientation, 1 to 8; 1, upright, when there is none or it is broken.
func orientation(kind Kind, data []byte) (value int) {
	value = 1
	defer func() {
		if recover() != nil {
			value = 1
		}
	}()
	formats := map[Kind]imagemeta.ImageFormat{
		JPEG: imagemeta.JPEG, PNG: imagemeta.PNG, WebP: imagemeta.WebP,
	}
	// An error means that the metadata is broken: what was read before it still counts.
	_, _ = imagemeta.Decode(imagemeta.Options{
		R:           bytes.NewReader(data),
		ImageFormat: formats[kind],
		Sources:     imagemeta.EXIF,
		Timeout:     metadataTimeout,
		ShouldHandleTag: func(tag imagemeta.TagInfo) bool {
			return tag.Namespace == "IFD0" && tag.Tag == "Orientation"
		},
		HandleTag: func(tag imagemeta.TagInfo) error {
			if v, ok := tag.Value.(uint16); ok && v >= 1 && v <= 8 {
				value = int(v)
			}
			return imagemeta.ErrStopWalking
		},
	})
	return value
}

// orient turns and mirrors the picture so that it shows upright without the tag.
func orient(img *image.RGBA, orientation int) *image.RGBA {
	if orientation <= 1 || orientation > 8 {
		return img
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	size := image.Rect(0, 0, w, h)
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	dst := image.NewRGBA(size)
	for y := range h {
		for x := range w {
			tx, ty := oriented(x, y, w, h, orientation)
			from, to := img.PixOffset(x, y), dst.PixOffset(tx, ty)
			copy(dst.Pix[to:to+4], img.Pix[from:from+4])
		}
	}
	return dst
}

// oriented tells where a stored pixel is shown, per EXIF 2.32, tag 274.
func oriented(x, y, w, h, orientation int) (tx, ty int) {
	switch orientation {
	case 2:
		return w - 1 - x, y
	case 3:
		return w - 1 - x, h - 1 - y
	case 4:
		return x, h - 1 - y
	case 5:
		return y, x
	case 6:
		return h - 1 - y, x
	case 7:
		return h - 1 - y, w - 1 - x
	case 8:
		return y, w - 1 - x
	}
	return x, y
}
