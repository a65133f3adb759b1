package locations

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/wasteclass"
)

// Format is how a file of collection points is written.
type Format string

// CSV is the layout of Korea's public data: comma separated with a header, in UTF-8 or CP949.
const CSV Format = "csv"

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
}

// Report tells what an import did.
type Report struct {
	Encoding  string    `json:"encoding"`
	Rows      int       `json:"rows"`
	Inserted  int       `json:"inserted"`
	Updated   int       `json:"updated"`
	Unchanged int       `json:"unchanged"`
	Swapped   int       `json:"swapped"` // rows whose latitude and longitude were exchanged
	Refused   int       `json:"refused"`
	Refusals  []Refusal `json:"refusals"`
	DryRun    bool      `json:"dry_run"`
}

// Refusal says why one row was left out; Line counts from 1, the header included.
type Refusal struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

// Import brings the points of a file into the database, all or none; faulty rows are refused one
// by one. Importing the same file again changes nothing.
func Import(
	ctx context.Context, pool *pgxpool.Pool, file io.Reader, format Format, opts Options,
) (Report, error) {
	if format != CSV {
		return Report{}, fmt.Errorf("importing points: format %q is not known, use %q", format, CSV)
	}
	if opts.Source == "" {
		return Report{}, errors.New("importing points: the source has no name")
	}
	for _, class := range opts.Accepts {
		if !class.Valid() {
			return Report{}, fmt.Errorf("importing points: %q is no class of waste", class)
		}
	}
	rows, err := openCSV(file, opts)
	if err != nil {
		return Report{}, err
	}
	n, err := (&store{pool: pool}).upsert(ctx, rows.next, opts.DryRun)
	if err != nil {
		return Report{}, fmt.Errorf("importing points: %w", err)
	}
	report := rows.report
	report.Inserted, report.Updated, report.Unchanged = n.Inserted, n.Updated, n.Unchanged
	return report, nil
}
