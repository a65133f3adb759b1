package locations

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxTitles is how many lines may stand above the header: public data often has a title there.
const maxTitles = 5

// csvFile reads the rows below a header.
type csvFile struct {
	reader  *csv.Reader
	columns columnIndex
}

func openCSV(text io.Reader) (*csvFile, error) {
	reader := csv.NewReader(text)
	reader.FieldsPerRecord = -1
	reader.ReuseRecord = true
	var first error
	for range maxTitles + 1 {
		header, err := reader.Read()
		if err != nil {
			err = fmt.Errorf("reading the header of the file: %w", err)
			if first != nil { // the file ends, and its first line is what looks like a header
				err = first
			}
			return nil, err
		}
		columns, err := findColumns(header)
		if err == nil {
			return &csvFile{reader: reader, columns: columns}, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// next implements rowSource. Blank lines are no rows.
func (f *csvFile) next() (row, int, error) {
	for {
		record, err := f.reader.Read()
		var broken *csv.ParseError
		switch {
		case errors.As(err, &broken):
			return nil, broken.StartLine, badRow(csvFault(broken))
		case err != nil:
			return nil, 0, err
		}
		line, _ := f.reader.FieldPos(0)
		if !blank(record) {
			return csvRow{columns: f.columns, record: record}, line, nil
		}
	}
}

// csvFault tells also how far a quote reaches that nobody closed: it swallows what follows.
func csvFault(broken *csv.ParseError) string {
	if broken.Line == broken.StartLine {
		return "is no valid CSV: " + broken.Err.Error()
	}
	return fmt.Sprintf("is no valid CSV: %s; nothing was read up to line %d", broken.Err, broken.Line)
}

// csvRow is valid until the next one is read.
type csvRow struct {
	columns columnIndex
	record  []string
}

// text implements row: of several columns with one meaning the first one that says something.
func (r csvRow) text(name column) string {
	for _, i := range r.columns[name] {
		if i < len(r.record) {
			if text := strings.TrimSpace(r.record[i]); text != "" {
				return text
			}
		}
	}
	return ""
}

func blank(record []string) bool {
	return strings.TrimSpace(strings.Join(record, "")) == ""
}
