package screenshot_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wastecoach/wastecoach/internal/wcctl/screenshot"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const screen = " \x1b[1mbold\x1b[m \x1b[31mred\x1b[m \x1b[2mfaint\x1b[m \x1b[7m tab \x1b[m\n" +
	"\x1b[48;5;237m▸ 유리병 <&> \x1b[32m━━\x1b[m\n\x1b[38;5;130mamber\x1b[m \x1b[38;2;1;2;3mtrue\x1b[m"

func TestSVG(t *testing.T) {
	t.Parallel()
	got := screenshot.SVG(screen, 32, 4, `wcctl top & "more"`)
	path := filepath.Join("testdata", "screen.svg")
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// TestTheTextIsWhole reads the picture as a reader of XML does.
func TestTheTextIsWhole(t *testing.T) {
	t.Parallel()
	decoder := xml.NewDecoder(strings.NewReader(string(screenshot.SVG(screen, 32, 4, "a title"))))
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if chars, ok := token.(xml.CharData); ok {
			text.Write(chars)
		}
	}
	for _, want := range []string{"a title", "bold", "▸ 유리병 <&>", "amber", "true"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is missing in %q", want, text.String())
		}
	}
}
