package locations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// geoFile reads the features of a FeatureCollection one by one.
type geoFile struct {
	decoder *json.Decoder
	lines   *lineReader
}

var errNoCollection = errors.New("reading the file: it is no GeoJSON FeatureCollection")

// openGeoJSON stands before the first feature. Members in front of the features are passed over.
func openGeoJSON(text io.Reader) (*geoFile, error) {
	lines := &lineReader{reader: text}
	f := &geoFile{decoder: json.NewDecoder(lines), lines: lines}
	f.decoder.UseNumber()
	if err := f.expect('{'); err != nil {
		return nil, err
	}
	for f.decoder.More() {
		name, err := f.decoder.Token()
		if err != nil {
			return nil, fmt.Errorf("reading the file: %w", err)
		}
		if name == "features" {
			err := f.expect('[')
			return f, err
		}
		var other json.RawMessage
		if err := f.decoder.Decode(&other); err != nil {
			return nil, fmt.Errorf("reading the file: %w", err)
		}
	}
	return nil, errNoCollection
}

func (f *geoFile) expect(delim json.Delim) error {
	token, err := f.decoder.Token()
	switch {
	case errors.Is(err, io.EOF):
		return errNoCollection
	case err != nil:
		return fmt.Errorf("reading the file: %w", err)
	case token != delim:
		return errNoCollection
	}
	return nil
}

// feature is what an import needs of one.
type feature struct {
	ID         any            `json:"id"`
	Geometry   geometry       `json:"geometry"`
	Properties map[string]any `json:"properties"`
}

type geometry struct {
	Type        string          `json:"type"`
	Coordinates json.RawMessage `json:"coordinates"`
}

// next implements rowSource. A file that ends too early is an error of the whole.
func (f *geoFile) next() (row, int, error) {
	if !f.decoder.More() {
		return nil, 0, f.end()
	}
	var raw json.RawMessage
	if err := f.decoder.Decode(&raw); err != nil {
		return nil, 0, cut(err)
	}
	line := f.lines.at(f.decoder.InputOffset() - int64(len(raw)))
	var found feature
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&found); err != nil {
		return nil, line, badRow("is no GeoJSON feature: " + err.Error())
	}
	return found.row(line)
}

func (f *geoFile) end() error {
	if _, err := f.decoder.Token(); err != nil {
		return cut(err)
	}
	return io.EOF
}

// cut keeps the end of a broken file from being taken for the end of its rows.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (found feature) row(line int) (row, int, error) {
	r := geoRow{id: plainValue(found.ID), properties: map[string]string{}}
	for name, value := range found.Properties {
		r.properties[headerName(name)] = plainValue(value)
	}
	switch found.Geometry.Type {
	case "": // null: no coordinates, which is said as of any other row
		return r, line, nil
	case "Point":
	default:
		return nil, line, badRow(fmt.Sprintf("is a %s, not a Point", found.Geometry.Type))
	}
	var position []json.Number
	if err := json.Unmarshal(found.Geometry.Coordinates, &position); err != nil || len(position) < 2 {
		return nil, line, badRow("has coordinates that are no position")
	}
	r.lng, r.lat = position[0].String(), position[1].String()
	return r, line, nil
}

// geoRow is a feature with its properties by their plain names.
type geoRow struct {
	id, lat, lng string
	properties   map[string]string
}

// text implements row. Place and id are the feature's own where it has them.
func (r geoRow) text(name column) string {
	switch {
	case name == columnLat:
		return r.lat
	case name == columnLng:
		return r.lng
	case name == columnID && r.id != "":
		return r.id
	}
	for _, header := range headers[name] {
		if text := r.properties[header]; text != "" {
			return text
		}
	}
	return ""
}

// plainValue is a JSON value as a cell of a table.
func plainValue(value any) string {
	switch v := value.(type) {
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		return v.String()
	case []any:
		var parts []string
		for _, part := range v {
			parts = append(parts, plainValue(part))
		}
		return strings.Join(parts, ",")
	}
	return ""
}

// lineReader knows on which line an offset is. It is asked for growing offsets.
type lineReader struct {
	reader io.Reader
	offset int64
	breaks []int64 // those read and not yet passed
	passed int
}

// Read implements io.Reader.
func (l *lineReader) Read(p []byte) (int, error) {
	n, err := l.reader.Read(p)
	for i, b := range p[:n] {
		if b == '\n' {
			l.breaks = append(l.breaks, l.offset+int64(i))
		}
	}
	l.offset += int64(n)
	return n, err
}

func (l *lineReader) at(offset int64) int {
	passed := 0
	for passed < len(l.breaks) && l.breaks[passed] < offset {
		passed++
	}
	l.breaks, l.passed = l.breaks[passed:], l.passed+passed
	return l.passed + 1
}
