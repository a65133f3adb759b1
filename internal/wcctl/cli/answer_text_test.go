package cli

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/client/clienttest"
)

// golden compares with testdata/NAME, which -update rewrites.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if flag.Lookup("update").Value.String() == "true" {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

func answered(t *testing.T, locale string, cached bool) *entry {
	t.Helper()
	e := &entry{Photo: "사진/유리병 (1).jpg", Seconds: 2.34}
	if err := json.Unmarshal(clienttest.Result(locale, true, cached), &e.answer); err != nil {
		t.Fatal(err)
	}
	return e
}

func draw(e *entry, width int, locale string, colored bool) string {
	text := answerText{
		page: page{width: width}, theme: newTheme(colored), words: wordsOf[locale], located: true,
	}
	text.draw(e)
	return text.String()
}

func TestAnswersFitTheirTerminal(t *testing.T) {
	t.Parallel()
	for _, locale := range []string{korean, english} {
		for _, width := range []int{80, 40} {
			got := draw(answered(t, locale, locale == korean), width, locale, false)
			for line := range strings.Lines(got) {
				if n := ansi.StringWidth(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%d columns on %d: %q", n, width, line)
				}
			}
			golden(t, fmt.Sprintf("answer_%s_%d.txt", locale, width), got)
		}
	}
}

func TestColorsAddNothingButColors(t *testing.T) {
	t.Parallel()
	e := answered(t, korean, false)
	plain, colored := draw(e, 60, korean, false), draw(e, 60, korean, true)
	if strings.Contains(plain, "\x1b") {
		t.Error("the plain answer has escape codes")
	}
	if colored == plain || ansi.Strip(colored) != plain {
		t.Errorf("colored differs in more than color:\n%s", ansi.Strip(colored))
	}
}

func TestWhatComesFromOutsideCannotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	e := answered(t, english, false)
	e.Photo = "a\x1b[2Jb\r\n.jpg"
	e.answer.Vision.NameEN = "bottle\x1b]0;title\x07 \x9b31m"
	e.answer.Advice.Steps[0].Text = "one\ntwo\x1b[A"
	e.answer.Warnings = []string{"collection_points_unavailable"}
	got := draw(e, 80, english, false)
	if strings.ContainsAny(got, "\x1b\r\x07\u009b") {
		t.Errorf("%q", got)
	}
	if !strings.Contains(got, "1. one two\n") ||
		!strings.Contains(got, "Missing: collection_points_unavailable") {
		t.Error(got)
	}
}

func TestAModelIsNoSimulator(t *testing.T) {
	t.Parallel()
	e := answered(t, english, false)
	e.answer.Vision.Model = "vision-1"
	if got := draw(e, 80, english, false); strings.Contains(got, "SIMULATOR") {
		t.Error(got)
	}
}

func TestFailuresTellWhatToPaste(t *testing.T) {
	t.Parallel()
	refused := &client.Problem{}
	refused.Status, refused.Code, refused.Detail = 413, "photo_too_large", "The photo is too large."
	later := &client.Problem{}
	later.Status, later.Code, later.Retryable = 503, "vision_unavailable", true
	silent := &client.Unreachable{Address: "https://waste.example.org", Err: errors.New("no route")}
	const remote = "https://waste.example.org"
	tests := map[string]struct {
		err    error
		server string
		want   string
	}{
		"too large":  {refused, remote, "magick 'a b.jpg' -resize '2048x2048>' smaller.jpg"},
		"passing":    {later, remote, "wcctl analyze 'a b.jpg'"},
		"logged out": {client.ErrLoggedOut, remote, "wcctl login --server " + remote},
		"no stack":   {silent, "http://127.0.0.1:8080", "wcctl dev"},
		"no server":  {silent, remote, "curl -sS " + remote + "/api/v1/auth/providers"},
		"a bug":      {errors.New("unknown"), remote, ""},
	}
	for name, tt := range tests {
		e := &entry{Photo: "a b.jpg"}
		e.fail(fmt.Errorf("uploading: %w", tt.err), tt.server)
		if e.Error.Hint != tt.want {
			t.Errorf("%s: got %q, want %q", name, e.Error.Hint, tt.want)
		}
	}
}

func TestQuotedWordsAreOneWord(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"plain-1.jpg": "plain-1.jpg", "": "''", "it's": `'it'\''s'`, "$(rm)": "'$(rm)'",
		"유리.jpg": "유리.jpg", "a*": "'a*'",
	} {
		if got := quote(word); got != want {
			t.Errorf("%q: got %s, want %s", word, got, want)
		}
	}
}
