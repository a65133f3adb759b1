package cli

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/jpeg" // image.DecodeConfig knows the formats by these
	_ "image/png"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	_ "golang.org/x/image/webp" // the third of them
)

const (
	// maxPhotoBytes keeps a mistyped name from filling memory; the server's own limit is its answer.
	maxPhotoBytes = 64 << 20
	sniffBytes    = 512
)

// photo is a file that looks like a photo.
type photo struct {
	path string
	// kind is its media type by its first bytes; names lie.
	kind string
}

func (p photo) name() string { return filepath.Base(p.path) }

// openPhoto tells before any request what cannot be a photo.
func openPhoto(path string) (photo, error) {
	info, err := os.Stat(path)
	var cause *fs.PathError
	switch {
	case errors.As(err, &cause):
		return photo{}, cause.Err
	case err != nil:
		return photo{}, err
	case info.IsDir():
		return photo{}, &Error{
			Cause: errors.New("it is a folder"), Hint: "wcctl analyze " + quote(path) + "/*",
		}
	case !info.Mode().IsRegular():
		return photo{}, errors.New("it is not a regular file")
	case info.Size() == 0:
		return photo{}, errors.New("it is empty")
	case info.Size() > maxPhotoBytes:
		return photo{}, &Error{
			Cause: fmt.Errorf("it has %d MB, more than the %d MB that are taken",
				info.Size()>>20, maxPhotoBytes>>20),
			Hint: "magick " + quote(path) + " -resize '2048x2048>' smaller.jpg",
		}
	}
	kind, err := sniff(path)
	return photo{path: path, kind: kind}, err
}

func sniff(path string) (string, error) {
	f, err := os.Open(path)
	var cause *fs.PathError
	if errors.As(err, &cause) {
		return "", cause.Err
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, sniffBytes)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", fmt.Errorf("reading it: %w", err)
	}
	head = head[:n]
	kind := http.DetectContentType(head)
	switch {
	case kind == "image/jpeg" || kind == "image/png" || kind == "image/webp":
		return kind, readable(f)
	case heic(head):
		return "", &Error{
			Cause: errors.New("it is a HEIC photo, which has to be converted first"),
			Hint:  "heif-convert " + quote(path) + " photo.jpg",
		}
	}
	return "", fmt.Errorf("it is no JPEG, PNG or WebP photo but %s", kind)
}

// readable looks at the header alone: what the pixels hold is the server's to say.
func readable(f io.ReadSeeker) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	if _, _, err := image.DecodeConfig(f); err != nil {
		return fmt.Errorf("it starts like a photo but is damaged: %w", err)
	}
	return nil
}

func heic(head []byte) bool {
	return len(head) > 12 && bytes.Equal(head[4:8], []byte("ftyp")) &&
		(bytes.HasPrefix(head[8:], []byte("hei")) || bytes.HasPrefix(head[8:], []byte("mif1")))
}

func (p photo) read() ([]byte, error) {
	f, err := os.Open(p.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPhotoBytes+1))
	if err == nil && len(data) > maxPhotoBytes {
		err = errors.New("it grew while it was read")
	}
	return data, err
}
