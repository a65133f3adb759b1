package top

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gofrs/uuid/v5"

	"github.com/wastecoach/wastecoach/internal/wcctl/cells"
)

// idWidth is the part of an id that tells its millisecond: shorter ones are the same for all jobs of
// a minute.
const idWidth = 13

func shortID(id uuid.UUID) string {
	if id.IsNil() {
		return ""
	}
	return id.String()[:idWidth]
}

const (
	thousand = 1000
	million  = thousand * thousand
)

// count writes a number with its thousands set apart; from ten millions on it is rounded.
func count(n int64) string {
	if n >= 10*million {
		return fmt.Sprintf("%.1fM", float64(n)/million)
	}
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(int64(n)) + " " + noun + "s"
}

func capital(text string) string {
	r, n := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[n:]
}

// perSecond writes a rate; below ten with a digit behind the point.
func perSecond(rate float64) string {
	if rate < 10 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return count(int64(rate+0.5)) + "/s"
}

func percent(share float64) string {
	switch p := share * 100; {
	case p == 0:
		return "0%"
	case p < 10:
		return fmt.Sprintf("%.1f%%", p)
	default:
		return fmt.Sprintf("%.0f%%", p)
	}
}

const kibi = 1024

// byteCount writes a size.
func byteCount(n int64) string {
	switch {
	case n < kibi:
		return fmt.Sprintf("%d B", n)
	case n < kibi*kibi:
		return fmt.Sprintf("%.0f KiB", float64(n)/kibi)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/kibi/kibi)
}

// short writes a duration for a narrow column: milliseconds below a second.
func short(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Second:
		return fmt.Sprintf("%dms", d.Milliseconds())
	}
	return cells.Elapsed(d)
}

// seconds writes an age without parts of a second.
func seconds(d time.Duration) string {
	if d = d.Truncate(time.Second); d < 10*time.Second {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return cells.Elapsed(d)
}

// until is the time that is left, with a minus where it is over.
func until(now, t time.Time) string {
	left := t.Sub(now)
	if left < 0 {
		return "-" + cells.Elapsed(-left)
	}
	return cells.Elapsed(left)
}

// join leaves out what is empty.
func join(sep string, list ...string) string {
	kept := list[:0:0]
	for _, text := range list {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return strings.Join(kept, sep)
}
