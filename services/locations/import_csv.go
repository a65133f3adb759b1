package locations

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
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

// csvRows turns a file's rows into points and notes those it refuses.
type csvRows struct {
	reader  *csv.Reader
	columns columnIndex
	opts    Options
	seen    map[string]int // source id to line
	report  Report
}

func openCSV(file io.Reader, opts Options) (*csvRows, error) {
	text, encoding, err := decoded(file)
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(text)
	reader.FieldsPerRecord = -1
	reader.ReuseRecord = true
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("reading the header of the file: %w", err)
	}
	columns, err := findColumns(header)
	if err != nil {
		return nil, err
	}
	return &csvRows{
		reader: reader, columns: columns, opts: opts, seen: map[string]int{},
		report: Report{Encoding: encoding, DryRun: opts.DryRun, Refusals: []Refusal{}},
	}, nil
}

// decoded returns the file in UTF-8 without a byte order mark. What is no UTF-8 is CP949, the
// other encoding of Korea's public data.
func decoded(file io.Reader) (io.Reader, string, error) {
	buffered := bufio.NewReaderSize(file, sniffed)
	start, err := buffered.Peek(sniffed)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", fmt.Errorf("reading the file: %w", err)
	}
	if bytes.HasPrefix(start, []byte("\ufeff")) {
		_, err := buffered.Discard(len("\ufeff"))
		return buffered, "utf-8", err
	}
	if validStart(start) {
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
func (r *csvRows) next() (Point, bool, error) {
	for {
		record, err := r.reader.Read()
		if errors.Is(err, io.EOF) {
			return Point{}, false, nil
		}
		var broken *csv.ParseError
		switch {
		case errors.As(err, &broken):
			r.report.Rows++
			r.refuse(broken.StartLine, "is no valid CSV: "+broken.Err.Error())
			continue
		case err != nil:
			return Point{}, false, fmt.Errorf("reading the file: %w", err)
		}
		line, _ := r.reader.FieldPos(0)
		if blank(record) {
			continue
		}
		r.report.Rows++
		point, err := r.point(record)
		if err != nil {
			r.refuse(line, err.Error())
			continue
		}
		if first, taken := r.seen[point.SourceID]; taken {
			r.refuse(line, fmt.Sprintf("is the same point as line %d", first))
			continue
		}
		r.seen[point.SourceID] = line
		return point, true, nil
	}
}

func (r *csvRows) refuse(line int, reason string) {
	r.report.Refused++
	if len(r.report.Refusals) < maxRefusals {
		r.report.Refusals = append(r.report.Refusals, Refusal{Line: line, Reason: reason})
	}
}

// point reads one row; its errors are the reasons that the report gives.
func (r *csvRows) point(record []string) (Point, error) {
	p := Point{
		Source:       r.opts.Source,
		SourceID:     r.columns.text(record, columnID),
		Name:         r.columns.text(record, columnName),
		Address:      r.columns.text(record, columnAddress),
		OpeningHours: r.columns.text(record, columnHours),
	}
	if p.Name == "" {
		p.Name = p.Address
	}
	if p.Name == "" {
		return p, errors.New("has neither a name nor an address")
	}
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
			return p, err
		}
	}
	if err := r.place(record, &p); err != nil {
		return p, err
	}
	var err error
	if p.Accepts, err = r.accepts(record); err != nil {
		return p, err
	}
	if p.SourceID == "" {
		p.SourceID = derivedID(p)
	}
	return p, nil
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

// place reads the coordinates, exchanged where only that puts them in Korea.
func (r *csvRows) place(record []string, p *Point) error {
	lat, lng := r.columns.text(record, columnLat), r.columns.text(record, columnLng)
	if lat == "" || lng == "" {
		return errors.New("has no coordinates")
	}
	var err error
	if p.Lat, err = strconv.ParseFloat(lat, 64); err != nil {
		return fmt.Errorf("latitude %q is no number", lat)
	}
	if p.Lng, err = strconv.ParseFloat(lng, 64); err != nil {
		return fmt.Errorf("longitude %q is no number", lng)
	}
	if inKorea(p.Lng, p.Lat) {
		p.Lat, p.Lng = p.Lng, p.Lat
		r.report.Swapped++
	}
	if !inKorea(p.Lat, p.Lng) {
		return fmt.Errorf("%s, %s is not in Korea", lat, lng)
	}
	return nil
}

func inKorea(lat, lng float64) bool {
	return lat >= south && lat <= north && lng >= west && lng <= east
}

// accepts reads the classes; words that name none are passed over where another one does.
func (r *csvRows) accepts(record []string) ([]wasteclass.Class, error) {
	text := r.columns.text(record, columnAccepts)
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

func blank(record []string) bool {
	return strings.TrimSpace(strings.Join(record, "")) == ""
}
