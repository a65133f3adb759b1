package locations

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding/korean"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// sniffed is how much of a file tells its encoding.
const sniffed = 1 << 20

// Bounds of a row.
const (
	maxName    = 200
	maxAddress = 300
	maxHours   = 200
)

// The surroundings of Korea in degrees; no point of ours is outside.
const (
	south, north = 33.0, 39.0
	west, east   = 124.0, 132.0
)

// rowSource reads a file row by row.
type rowSource interface {
	// next returns a row and its line, counted from 1. The error is io.EOF after the last row, and
	// a badRow for a row that cannot be read while those behind it can.
	next() (row, int, error)
}

// row is one row of a file; what it lacks is the empty text.
type row interface{ text(name column) string }

// badRow says why a row cannot be read.
type badRow string

// Error implements error.
func (b badRow) Error() string { return string(b) }

// rows turns a file's rows into points and notes those it refuses.
type rows struct {
	source rowSource
	opts   Options
	seen   map[string]int    // source id to line
	hours  map[string][]Span // of texts: a file has few different ones
	report Report
}

func openRows(file io.Reader, format Format, opts Options) (*rows, error) {
	if format != CSV && format != GeoJSON {
		return nil, fmt.Errorf("importing points: format %q is not known, use %q or %q", format, CSV, GeoJSON)
	}
	text, encoding, err := decoded(file)
	if err != nil {
		return nil, err
	}
	r := &rows{
		opts: opts, seen: map[string]int{}, hours: map[string][]Span{},
		report: Report{Encoding: encoding, DryRun: opts.DryRun, Refusals: []Refusal{}},
	}
	if format == CSV {
		r.source, err = openCSV(text)
	} else {
		r.source, err = openGeoJSON(text)
	}
	return r, err
}

// decoded returns the file in UTF-8 without a byte order mark. What is no UTF-8 is CP949, the
// other encoding of Korea's public data.
func decoded(file io.Reader) (io.Reader, string, error) {
	buffered := bufio.NewReaderSize(file, sniffed)
	start, err := buffered.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", fmt.Errorf("reading the file: %w", err)
	}
	switch {
	case bytes.HasPrefix(start, []byte("\ufeff")):
		_, err := buffered.Discard(len("\ufeff"))
		return buffered, "utf-8", err
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		return nil, "", errors.New("reading the file: it is in UTF-16; save it as CSV in UTF-8")
	case validStart(start):
		return buffered, "utf-8", nil
	}
	return korean.EUCKR.NewDecoder().Reader(buffered), "cp949", nil
}

// validStart tells whether text is UTF-8, but for a letter that its end may cut.
func validStart(text []byte) bool {
	for cut := 0; cut < utf8.UTFMax && cut <= len(text); cut++ {
		if utf8.Valid(text[:len(text)-cut]) {
			return true
		}
	}
	return false
}

// next returns the next good row, and false after the last one.
func (r *rows) next() (Point, bool, error) {
	for {
		row, line, err := r.source.next()
		if errors.Is(err, io.EOF) {
			return Point{}, false, nil
		}
		var bad badRow
		if err != nil && !errors.As(err, &bad) {
			return Point{}, false, fmt.Errorf("reading the file: %w", err)
		}
		r.report.Rows++
		var p Point
		if err == nil {
			p, err = r.point(row)
		}
		if first, taken := r.seen[p.SourceID]; err == nil && taken {
			err = fmt.Errorf("is the same point as line %d", first)
		}
		if err != nil {
			r.refuse(line, err.Error())
			continue
		}
		r.seen[p.SourceID] = line
		if len(p.Hours) == 0 {
			r.report.NoHours++
		}
		return p, true, nil
	}
}

func (r *rows) refuse(line int, reason string) {
	r.report.Refused++
	if len(r.report.Refusals) < maxRefusals {
		r.report.Refusals = append(r.report.Refusals, Refusal{Line: line, Row: r.report.Rows, Reason: reason})
	}
}

// point reads one row; its errors are the reasons that the report gives.
func (r *rows) point(row row) (Point, error) {
	p := Point{
		Source: r.opts.Source, SourceID: row.text(columnID), Name: row.text(columnName),
		Address: row.text(columnAddress), OpeningHours: hoursText(row),
	}
	if p.Name == "" {
		p.Name = p.Address
	}
	if p.Name == "" {
		return p, errors.New("has neither a name nor an address")
	}
	if err := plainTexts(p); err != nil {
		return p, err
	}
	swapped, err := place(row, &p)
	if err != nil {
		return p, err
	}
	if p.Accepts, err = r.accepts(row); err != nil {
		return p, err
	}
	if swapped {
		r.report.Swapped++
	}
	if p.SourceID == "" {
		p.SourceID = derivedID(p)
	}
	hours, known := r.hours[p.OpeningHours]
	if !known {
		hours = parseHours(p.OpeningHours)
		r.hours[p.OpeningHours] = hours
	}
	p.Hours = hours
	return p, nil
}

func plainTexts(p Point) error {
	for _, field := range []struct {
		name, text string
		limit      int
	}{
		{"name", p.Name, maxName},
		{"address", p.Address, maxAddress},
		{"opening hours", p.OpeningHours, maxHours},
		{"id", p.SourceID, maxName},
	} {
		if err := plain(field.name, field.text, field.limit); err != nil {
			return err
		}
	}
	return nil
}

// plain refuses text that the file's encoding broke or that no screen shows.
func plain(field, text string, limit int) error {
	if utf8.RuneCountInString(text) > limit {
		return fmt.Errorf("%s is longer than %d characters", field, limit)
	}
	for _, letter := range text {
		if letter == utf8.RuneError || unicode.IsControl(letter) && letter != '\n' {
			return fmt.Errorf("%s has a broken letter", field)
		}
	}
	return nil
}

// meters is above all degrees and below all coordinates of Korea's plane grids.
const meters = 1000

// place reads the coordinates, exchanged where only that puts them in Korea.
func place(row row, p *Point) (swapped bool, err error) {
	lat, lng := row.text(columnLat), row.text(columnLng)
	if lat == "" || lng == "" {
		return false, errors.New("has no coordinates")
	}
	if p.Lat, err = strconv.ParseFloat(lat, 64); err != nil {
		return false, fmt.Errorf("latitude %q is no number", lat)
	}
	if p.Lng, err = strconv.ParseFloat(lng, 64); err != nil {
		return false, fmt.Errorf("longitude %q is no number", lng)
	}
	if inKorea(p.Lng, p.Lat) {
		p.Lat, p.Lng, swapped = p.Lng, p.Lat, true
	}
	switch {
	case inKorea(p.Lat, p.Lng):
		return swapped, nil
	case math.Abs(p.Lat) >= meters && math.Abs(p.Lng) >= meters:
		return false, fmt.Errorf("%s, %s are meters of a plane grid, not degrees (WGS84)", lat, lng)
	}
	return false, fmt.Errorf("%s, %s is not in Korea", lat, lng)
}

func inKorea(lat, lng float64) bool {
	return lat >= south && lat <= north && lng >= west && lng <= east
}

// accepts reads the classes; words that name none are passed over where another one does.
func (r *rows) accepts(row row) ([]wasteclass.Class, error) {
	text := row.text(columnAccepts)
	if text == "" {
		if len(r.opts.Accepts) == 0 {
			return nil, errors.New("does not say what it takes")
		}
		return r.opts.Accepts, nil
	}
	classes := classesIn(text)
	if len(classes) == 0 {
		return nil, fmt.Errorf("takes %q, which is no known class of waste", text)
	}
	return classes, nil
}

// derivedID stands for the id that a file does not have.
func derivedID(p Point) string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s\n%s\n%.6f\n%.6f", p.Name, p.Address, p.Lat, p.Lng)))
	return "sha256:" + hex.EncodeToString(sum[:12])
}
