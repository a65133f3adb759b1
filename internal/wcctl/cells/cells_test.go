package cells_test

import (
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

func TestTextTakesExactlyItsColumns(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", "a", "glass bottle", "유리병", "유리병 (투명)", "\x1b[1mbold\x1b[m", "e\u0301le\u0301phant", "👩‍🔬 lab",
	} {
		for width := range 16 {
			for name, got := range map[string]string{
				"Fit": cells.Fit(text, width), "FitRight": cells.FitRight(text, width),
			} {
				if n := cells.Width(got); n != width {
					t.Errorf("%s(%q, %d) takes %d columns: %q", name, text, width, n, got)
				}
			}
			if n := cells.Width(cells.Cut(text, width)); n > width {
				t.Errorf("Cut(%q, %d) takes %d columns", text, width, n)
			}
		}
	}
}

func TestWhatIsCutShowsIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{cells.Fit("glass", 5), "glass"},
		{cells.Fit("glass", 4), "gla…"},
		{cells.Fit("유리병", 5), "유리…"},
		{cells.Fit("유리병", 4), "유… "},
		{cells.FitRight("12", 4), "  12"},
		{cells.Cut("anything", 0), ""},
		{cells.Clean(" a\tb\nc\x1b[2J\u0007 "), "a b c"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestElapsed(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second:                       "0.0s",
		420 * time.Millisecond:             "0.4s",
		9951 * time.Millisecond:            "10s",
		59*time.Second + 600*1e6:           "1m00s",
		3*time.Minute + 5*time.Second:      "3m05s",
		26*time.Hour + 2*time.Minute:       "26h02m",
		76 * time.Hour:                     "3d04h",
		90*24*time.Hour + 30*time.Second*1: "90d00h",
	} {
		if got := cells.Elapsed(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
