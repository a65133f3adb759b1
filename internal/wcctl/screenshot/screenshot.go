// Package screenshot draws a terminal's screen as a picture.
package screenshot

import (
	"fmt"
	"html"
	"image/color"
	"strings"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
)

// fonts are monospaced ones that have the bars, and Korean.
const fonts = "ui-monospace,SFMono-Regular,Menlo,Consolas,'D2Coding','Noto Sans Mono CJK KR',monospace"

const (
	cellWidth, cellHeight = 8.4, 18.0
	fontSize              = 14
	border                = 14.0
	bar                   = 30.0
	baseline              = 13.5
)

// The picture's own colors for the terminal's 16, chosen to be read on its dark background.
const (
	background = "#16181d"
	foreground = "#d5d9e0"
)

var palette = [16]string{
	"#3b4048", "#e5606b", "#8cc570", "#e0b252", "#62a8ea", "#c083d8", "#57b8c4", "#d5d9e0",
	"#6b7380", "#ff7b85", "#a5dd89", "#f2c86b", "#82bdf5", "#d6a0ea", "#74d0db", "#ffffff",
}

// SVG draws a screen of width × height cells, whose lines may be styled, as a window with a title.
func SVG(screen string, width, height int, title string) []byte {
	buffer := uv.NewScreenBuffer(width, height)
	uv.NewStyledString(screen).Draw(buffer, buffer.Bounds())
	w, h := float64(width)*cellWidth+2*border, float64(height)*cellHeight+2*border+bar
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n",
		w, h, w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" rx="8" fill="%s"/>`+"\n", w, h, background)
	fmt.Fprintf(&b, `<g font-family="%s" font-size="%d" fill="%s">`+"\n", fonts, fontSize, foreground)
	fmt.Fprintf(&b, `<text x="%.1f" y="20" text-anchor="middle" fill="%s">%s</text>`+"\n",
		w/2, palette[8], html.EscapeString(title))
	for y := range height {
		drawLine(&b, buffer, y, width)
	}
	b.WriteString("</g>\n</svg>\n")
	return []byte(b.String())
}

// drawLine draws the runs of cells that look the same.
func drawLine(b *strings.Builder, buffer uv.ScreenBuffer, y, width int) {
	for x := 0; x < width; {
		first := buffer.CellAt(x, y)
		if first == nil || first.Width == 0 {
			x++
			continue
		}
		run, from := strings.Builder{}, x
		for x < width {
			c := buffer.CellAt(x, y)
			if c == nil || !c.Style.Equal(&first.Style) {
				break
			}
			run.WriteString(c.Content)
			x += max(c.Width, 1)
		}
		drawRun(b, run.String(), first.Style, from, y, x-from)
	}
}

func drawRun(b *strings.Builder, text string, style uv.Style, x, y, width int) {
	left, top := border+float64(x)*cellWidth, border+bar+float64(y)*cellHeight
	fg, bg := hex(style.Fg, foreground), hex(style.Bg, "")
	if style.Attrs&uv.AttrReverse != 0 {
		fg, bg = background, hex(style.Fg, foreground)
	}
	if bg != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n",
			left, top, float64(width)*cellWidth, cellHeight, bg)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	extra := ""
	if fg != foreground {
		extra += ` fill="` + fg + `"`
	}
	if style.Attrs&uv.AttrBold != 0 {
		extra += ` font-weight="bold"`
	}
	if style.Attrs&uv.AttrFaint != 0 {
		extra += ` opacity="0.55"`
	}
	// textLength holds the grid whatever font the reader has.
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs"%s xml:space="preserve">`,
		left, top+baseline, float64(width)*cellWidth, extra)
	b.WriteString(html.EscapeString(text) + "</text>\n")
}

// hex is a color as SVG writes it; the terminal's 16 are the palette's.
func hex(c color.Color, none string) string {
	switch c := c.(type) {
	case nil:
		return none
	case ansi.BasicColor:
		return palette[c&15]
	case ansi.IndexedColor:
		if c < 16 {
			return palette[c]
		}
	}
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
