package locations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// Format is how a file of collection points is written.
type Format string

// The formats; files are in UTF-8, with a byte order mark or without, or in CP949.
const (
	// CSV is the layout of Korea's public data: comma separated, with a header.
	CSV Format = "csv"
	// GeoJSON is a FeatureCollection of points; its properties are named as CSV's columns are.
	GeoJSON Format = "geojson"
)

// maxRefusals is how many refused rows a Report describes; it counts all of them.
const maxRefusals = 1000

// Options say what a file does not.
type Options struct {
	// Source names the publisher. Points of one source are told apart by the file's own ids.
	Source string
	// Accepts holds for rows that do not name what they take.
	Accepts []wasteclass.Class
	// DryRun reports what an import would do and changes nothing.
	DryRun bool
	// Progress, where given, is told after some thousand rows how much of the file is done.
	Progress func(Progress)
}

// Progress is how much of a file is read and written, though not yet for others to see.
type Progress struct {
	Bytes int64
	Rows  int
}

// Report tells what an import did.
type Report struct {
	Encoding  string    `json:"encoding"`
	Rows      int       `json:"rows"`
	Inserted  int       `json:"inserted"`
	Updated   int       `json:"updated"`
	Unchanged int       `json:"unchanged"`
	Swapped   int       `json:"swapped"`       // rows whose latitude and longitude were exchanged
	NoHours   int       `json:"unknown_hours"` // good rows whose hours are missing or not understood
	Refused   int       `json:"refused"`
	Refusals  []Refusal `json:"refusals"`
	DryRun    bool      `json:"dry_run"`
}

// Refusal says why one row was left out. Line is the file's, Row the row's number without header and
// blank lines; both count from 1.
type Refusal struct {
	Line   int    `json:"line"`
	Row    int    `json:"row"`
	Reason string `json:"reason"`
}

// Import brings the points of a file into the database, all or none; faulty rows are refused one
// by one. Importing the same file again changes nothing.
func Import(
	ctx context.Context, pool *pgxpool.Pool, file io.Reader, format Format, opts Options,
) (Report, error) {
	if err := opts.check(); err != nil {
		return Report{}, fmt.Errorf("importing points: %w", err)
	}
	counted := &countingReader{reader: file}
	rows, err := openRows(counted, format, opts)
	if err != nil {
		return Report{}, err
	}
	n, err := (&store{pool: pool}).upsert(ctx, rows.next, opts.DryRun, func() {
		if opts.Progress != nil {
			opts.Progress(Progress{Bytes: counted.bytes, Rows: rows.report.Rows})
		}
	})
	if err != nil {
		return Report{}, fmt.Errorf("importing points: %w", err)
	}
	report := rows.report
	report.Inserted, report.Updated, report.Unchanged = n.Inserted, n.Updated, n.Unchanged
	return report, nil
}

func (o Options) check() error {
	if strings.TrimSpace(o.Source) == "" {
		return errors.New("the source has no name")
	}
	if err := plain("source", o.Source, maxName); err != nil {
		return err
	}
	for _, class := range o.Accepts {
		if !class.Valid() {
			return fmt.Errorf("%q is no class of waste", class)
		}
	}
	return nil
}

// countingReader knows how much was read.
type countingReader struct {
	reader io.Reader
	bytes  int64
}

// Read implements io.Reader.
func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.reader.Read(p)
	c.bytes += int64(n)
	return n, err
}
