package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWhatIsNoPhotoIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.jpg")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, maxPhotoBytes+1); err != nil { // sparse: it takes no space
		t.Fatal(err)
	}
	heic := filepath.Join(dir, "phone.jpg")
	if err := os.WriteFile(heic, []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct{ cause, hint string }{
		huge:        {"more than the 64 MB", "magick "},
		heic:        {"HEIC photo", "heif-convert "},
		os.DevNull:  {"not a regular file", ""},
		"/no/where": {"no such file", ""},
	} {
		report := newReport("http://server", []string{path})
		got := report.Analyses[0].Error
		if len(report.waiting()) > 0 || got == nil || got.Code != "bad_photo" ||
			!strings.Contains(got.Message, want.cause) || !strings.HasPrefix(got.Hint, want.hint) {
			t.Errorf("%s: got %+v", path, got)
		}
	}
}
