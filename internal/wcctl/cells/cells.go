// Package cells cuts and aligns text by the columns it takes on a terminal.
package cells

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Width is how many columns text takes; wide characters take two, escape sequences none.
func Width(text string) int { return ansi.StringWidth(text) }

// Clean drops what would move the cursor or change colors: texts come from outside.
func Clean(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsPrint(r) || unicode.Is(unicode.Join_Control, r):
			return r
		}
		return -1
	}, ansi.Strip(text)))
}

// Cut shortens text to at most width columns, with an ellipsis where something is missing.
func Cut(text string, width int) string {
	if width <= 0 {
		return ""
	}
	return ansi.Truncate(text, width, "…")
}

// Fit cuts or pads text to exactly width columns.
func Fit(text string, width int) string {
	if len(text) <= width && plain(text) { // what most of a screen is made of
		return text + Spaces(width-len(text))
	}
	text = Cut(text, width)
	return text + Spaces(width-Width(text))
}

// FitRight is Fit with the padding before the text.
func FitRight(text string, width int) string {
	text = Cut(text, width)
	return Spaces(width-Width(text)) + text
}

// plain tells that each byte takes one column.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// Spaces are n spaces, none for a negative n.
func Spaces(n int) string { return strings.Repeat(" ", max(n, 0)) }

const twoDays = 48 * time.Hour

// Elapsed writes a duration as a person says it: 0.4s, 12s, 3m05s, 1h02m, 3d04h.
func Elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0s"
	case d < 9950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	d = d.Round(time.Second)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < twoDays:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	const day = twoDays / 2
	return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
}
