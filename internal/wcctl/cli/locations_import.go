package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/wasteclass"
	"github.com/wastecoach/wastecoach/internal/wcctl/progress"
	"github.com/wastecoach/wastecoach/services/locations"
)

type importOptions struct {
	file, dsn, source, format string
	accepts                   []string
	dryRun                    bool
	output                    outputFormat
}

func newLocationsImport(con *console) *cobra.Command {
	var opts importOptions
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import collection points from a file",
		Long: `Import collection points from a CSV file of Korea's public data or a GeoJSON file. The
encoding (UTF-8 or CP949) and the names of the columns are found out.

A point is known again by the file's own id (관리번호 and the like), else by its name, address
and place: importing a file again changes nothing. Faulty rows are refused one by one and
reported; the others are imported all at once, at the end, or not at all.

The database is that of --dsn, else of LOCATIONS_POSTGRES_DSN, else of the running wcctl dev.
Its role must be locations. With -o json the report is one document:

  {"file", "source", "encoding", "rows", "inserted", "updated", "unchanged", "swapped",
   "unknown_hours", "refused", "refusals": [{"line", "row", "reason"}, ...], "dry_run"}

The exit code is 0 when every row was good, 1 when some were refused. Ctrl-C imports nothing
and ends with 130.`,
		Example: `  wcctl locations import boxes.csv --dry-run
  wcctl locations import 의류수거함_20251101.csv --source jongno-clothing --accepts clothing
  wcctl locations import points.geojson -o json | jq '.refusals[]'`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			opts.file = args[0]
			return runLocationsImport(cmd.Context(), con, opts)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&opts.source, "source", "",
		"who published the points (default: the file's name without its date)")
	flags.StringSliceVar(&opts.accepts, "accepts", nil,
		"what points take whose row does not say it, e.g. clothing,battery")
	flags.StringVar(&opts.format, "format", "", "csv or geojson (default: by the file's name)")
	flags.BoolVar(&opts.dryRun, "dry-run", false, "report what would be done and change nothing")
	flags.StringVar(&opts.dsn, "dsn", "",
		"database as postgres://… (default: LOCATIONS_POSTGRES_DSN, else the running wcctl dev)")
	opts.output.register(cmd)
	return cmd
}

// importReport is what -o json prints.
type importReport struct {
	File   string `json:"file"`
	Source string `json:"source"`
	locations.Report
}

func runLocationsImport(ctx context.Context, con *console, opts importOptions) error {
	format, err := opts.fileFormat()
	if err != nil {
		return err
	}
	file, err := os.Open(opts.file)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	dsn, err := findLocationsDSN(con, opts.dsn)
	if err != nil {
		return err
	}
	pool, err := postgres.Open(ctx, postgres.Config{DSN: env.Secret(dsn), MaxConns: 1}, "wcctl")
	if err != nil {
		return usageError("wcctl locations import", err)
	}
	defer pool.Close()
	shown := importProgress{sink: analyzeSink(con, opts.output), name: filepath.Base(opts.file), size: info.Size()}
	report, err := locations.Import(ctx, pool, file, format, locations.Options{
		Source: opts.sourceName(), Accepts: opts.classes(), DryRun: opts.dryRun, Progress: shown.show,
	})
	shown.end(report, err)
	if err != nil {
		return importError(ctx, opts, err)
	}
	return printImport(con, opts, importReport{File: opts.file, Source: opts.sourceName(), Report: report})
}

func (o *importOptions) fileFormat() (locations.Format, error) {
	format := locations.Format(strings.ToLower(o.format))
	if format == "" {
		switch strings.ToLower(filepath.Ext(o.file)) {
		case ".csv", ".txt":
			format = locations.CSV
		case ".geojson", ".json":
			format = locations.GeoJSON
		}
	}
	if format != locations.CSV && format != locations.GeoJSON {
		return "", usageErrorf("wcctl locations import",
			"say --format csv or --format geojson: %s does not tell", o.file)
	}
	for _, class := range o.classes() {
		if !class.Valid() {
			return "", usageErrorf("wcctl locations import", "--accepts: %q is none of %v", class, wasteclass.All())
		}
	}
	return format, nil
}

func (o *importOptions) classes() []wasteclass.Class {
	var classes []wasteclass.Class
	for _, name := range o.accepts {
		classes = append(classes, wasteclass.Class(strings.TrimSpace(name)))
	}
	return classes
}

// editionDate is what public data appends to a file's name: the next edition is the same source.
var editionDate = regexp.MustCompile(`[ _-]*\d{4}[_-]?\d{2}[_-]?\d{2}$`)

func (o *importOptions) sourceName() string {
	if o.source != "" {
		return o.source
	}
	name := strings.TrimSuffix(filepath.Base(o.file), filepath.Ext(o.file))
	if short := editionDate.ReplaceAllString(name, ""); short != "" {
		return short
	}
	return name
}

// importProgress shows each percent of a file.
type importProgress struct {
	sink    progress.Sink
	name    string
	size    int64
	percent int
}

func (p *importProgress) show(done locations.Progress) {
	percent := 100
	if p.size > 0 {
		percent = int(done.Bytes * 100 / p.size)
	}
	if percent == p.percent {
		return
	}
	p.percent = percent
	p.event(progress.Running, fmt.Sprintf("%d rows read", done.Rows))
}

func (p *importProgress) end(report locations.Report, err error) {
	if err != nil {
		p.event(progress.Failed, "nothing was changed")
	} else {
		p.percent = 100
		p.event(progress.Done, fmt.Sprintf("%d rows", report.Rows))
	}
	p.sink.Close()
}

func (p *importProgress) event(state progress.State, message string) {
	p.sink.Show(progress.Event{Name: p.name, Percent: p.percent, Message: message, State: state})
}

// importError says that nothing was changed, and what to do now.
func importError(ctx context.Context, opts importOptions, err error) error {
	if ctx.Err() != nil {
		return &Error{
			Cause:    errors.New("interrupted; nothing was changed"),
			Hint:     "wcctl locations import " + quote(opts.file),
			ExitCode: exitInterrupted,
		}
	}
	hint := ""
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		switch refused.Code {
		case "42P01", "42703": // undefined table, column
			hint = "wcctl migrate up"
		case "42501": // insufficient privilege
			hint = "export " + locationsDSN + "=postgres://locations@HOST/wastecoach"
		}
	}
	return &Error{Cause: fmt.Errorf("%w; nothing was changed", err), Hint: hint}
}
