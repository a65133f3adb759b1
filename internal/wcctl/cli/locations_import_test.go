package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/testdb"
	"github.com/wastecoach/wastecoach/internal/wcctl/cli"
)

// importBundle runs `wcctl locations import` against a database of its own.
type importBundle struct {
	t    *testing.T
	dir  string
	dsn  string
	pool *pgxpool.Pool
}

func newImportBundle(t *testing.T) *importBundle {
	t.Helper()
	db := testdb.New(t, "locations")
	return &importBundle{t: t, dir: t.TempDir(), dsn: db.DSN("locations"), pool: db.Pool("locations")}
}

func (b *importBundle) file(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b *importBundle) run(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	getenv := func(name string) string {
		return map[string]string{"LOCATIONS_POSTGRES_DSN": b.dsn, "WCCTL_DEV_DIR": b.dir}[name]
	}
	var out, err bytes.Buffer
	code = cli.Run(ctx, append([]string{"locations", "import"}, args...), getenv, strings.NewReader(""), &out, &err)
	return code, out.String(), err.String()
}

// points are names with the source, sorted.
func (b *importBundle) points() string {
	b.t.Helper()
	var names *string
	err := b.pool.QueryRow(b.t.Context(),
		"SELECT string_agg(source || '/' || name, ' ' ORDER BY source, name) FROM points").Scan(&names)
	if err != nil {
		b.t.Fatal(err)
	}
	if names == nil {
		return ""
	}
	return *names
}

const (
	importedRows = "관리번호,수거함명,위도,경도,수거품목\n1,가,37.5,127.0,의류\n2,나,127.1,37.5,의류\n"
	refusedRow   = "3,다,,,의류\n"
)

func TestLocationsImport(t *testing.T) {
	t.Parallel()
	b := newImportBundle(t)
	path := b.file("boxes_20251101.csv", importedRows+refusedRow)

	code, stdout, stderr := b.run(t.Context(), path, "--dry-run")
	if code != 1 || !strings.Contains(stdout, "2  new points") || !strings.Contains(stdout, "dry run") ||
		!strings.Contains(stdout, "line 4: has no coordinates") ||
		!strings.Contains(stderr, "1 of 3 rows were refused; nothing was changed") {
		t.Errorf("dry run: %d\n%s%s", code, stdout, stderr)
	}
	if got := b.points(); got != "" {
		t.Errorf("a dry run wrote %s", got)
	}
	code, stdout, stderr = b.run(t.Context(), path)
	if code != 1 || !strings.Contains(stdout, "1  with latitude and longitude exchanged") ||
		!strings.Contains(stderr, "the others are imported") ||
		!strings.Contains(stderr, "100% boxes_20251101.csv: 3 rows") {
		t.Errorf("import: %d\n%s%s", code, stdout, stderr)
	}
	if got := b.points(); got != "boxes/가 boxes/나" {
		t.Errorf("imported %s", got)
	}
	code, stdout, stderr = b.run(t.Context(), b.file("boxes_20251201.csv", importedRows), "-o", "json")
	var report map[string]any
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	if code != 0 || stderr != "" || report["unchanged"] != 2.0 || report["inserted"] != 0.0 ||
		report["source"] != "boxes" || report["encoding"] != "utf-8" {
		t.Errorf("the next edition: %d, %v\n%s", code, report, stderr)
	}
}

func TestLocationsImportTakesGeoJSON(t *testing.T) {
	t.Parallel()
	b := newImportBundle(t)
	path := b.file("a.json", `{"type":"FeatureCollection","features":[{"type":"Feature","id":1,
		"geometry":{"type":"Point","coordinates":[127,37.5]},"properties":{"name":"가"}}]}`)
	code, stdout, stderr := b.run(t.Context(), path, "--source", "gu", "--accepts", "glass,metal")
	if code != 0 || b.points() != "gu/가" {
		t.Errorf("%d, %s\n%s%s", code, b.points(), stdout, stderr)
	}
}

func TestLocationsImportFaults(t *testing.T) {
	t.Parallel()
	b := newImportBundle(t)
	good := b.file("good.csv", importedRows)
	foreign := strings.Replace(b.dsn, "locations:test-locations", "users:test-users", 1)
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{filepath.Join(b.dir, "none.csv")}, 1, "no such file"},
		{[]string{b.file("table.xlsx", "")}, 2, "--format"},
		{[]string{good, "--format", "xml"}, 2, "--format"},
		{[]string{good, "--accepts", "gold"}, 2, "gold"},
		{[]string{good, "--dsn", "postgres://a:b:c"}, 2, "DSN"},
		{[]string{good, "--dsn", "postgres://127.0.0.1:1/x?connect_timeout=1"}, 1, "nothing was changed"},
		{[]string{b.file("empty.csv", "")}, 1, "header"},
		{[]string{good, "--dsn", foreign}, 1, "wcctl migrate up"},
	} {
		if code, _, stderr := b.run(t.Context(), tc.args...); code != tc.code || !strings.Contains(stderr, tc.want) {
			t.Errorf("%q: %d, %s, want %d, %s", tc.args, code, stderr, tc.code, tc.want)
		}
	}
	b.dsn = ""
	code, _, stderr := b.run(t.Context(), good)
	if code != 2 || !strings.Contains(stderr, "try: wcctl dev --detach") {
		t.Errorf("without a database: %d, %s", code, stderr)
	}
}

func TestLocationsImportInterrupted(t *testing.T) {
	t.Parallel()
	b := newImportBundle(t)
	path := b.file("boxes.csv", importedRows)
	// Another transaction holds the import up where it writes.
	tx, err := b.pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "LOCK TABLE points IN SHARE MODE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		defer cancel()
		for ctx.Err() == nil {
			var waiting bool
			_ = b.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'
				AND application_name = 'wcctl' AND datname = current_database())`).Scan(&waiting)
			if waiting {
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	code, _, stderr := b.run(ctx, path)
	if code != 130 || !strings.Contains(stderr, "interrupted; nothing was changed") ||
		!strings.Contains(stderr, "try: wcctl locations import ") {
		t.Errorf("%d, %s", code, stderr)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := b.points(); got != "" {
		t.Errorf("an interrupted import wrote %s", got)
	}
	if code, _, stderr := b.run(t.Context(), path); code != 0 || b.points() == "" {
		t.Errorf("the same again: %d, %s", code, stderr)
	}
}
