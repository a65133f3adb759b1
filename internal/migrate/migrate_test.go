package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/testdb"
)

// victimDSN makes this test binary a run that is killed in the middle of slowConcurrent.
const victimDSN = "MIGRATE_TEST_VICTIM_DSN"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(victimDSN); dsn != "" {
		err := migrate.New(migrate.Config{DSN: dsn, Files: files(halves)}).Up(context.Background(), schema)
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(testdb.Main(m))
}

// schema is one that has real migrations to stand upon or none; the tests' versions start high.
const (
	schema = "waste"
	good   = "-- +goose Up\nCREATE TABLE tried (id int);\n-- +goose Down\nDROP TABLE tried;\n"
	wrong  = "-- +goose Up\nCREATE TABLE left_over (id int);\nSELECT 1/0;\n-- +goose Down\nSELECT 1;\n"
	slow   = "-- +goose Up\nSELECT pg_sleep(0.5);\nCREATE TABLE tried (id int);\n"
	halves = `-- +goose NO TRANSACTION
-- +goose Up
CREATE TABLE first_half (id int);
SELECT pg_sleep(60);
CREATE TABLE second_half (id int);
-- +goose Down
DROP TABLE second_half;
DROP TABLE first_half;
`
)

var halvesFault = strings.Replace(halves, "pg_sleep(60)", "1/0", 1)

// files adds one migration to the real ones.
func files(text string) fs.FS {
	dir := fstest.MapFS{"waste/9001_try.sql": {Data: []byte(text)}}
	err := fs.WalkDir(os.DirFS("../../migrations"), schema, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile("../../migrations/" + path)
		dir[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		panic(err)
	}
	return dir
}

func runner(db *testdb.DB, text string) *migrate.Runner {
	return migrate.New(migrate.Config{DSN: db.DSN(migrate.Migrator), Files: files(text)})
}

func statusOf(t *testing.T, r *migrate.Runner) migrate.Status {
	t.Helper()
	all, err := r.Status(t.Context(), schema)
	if err != nil {
		t.Fatal(err)
	}
	return all[0]
}

func exists(t *testing.T, db *testdb.DB, table string) bool {
	t.Helper()
	var there bool
	err := db.Pool(migrate.Migrator).QueryRow(t.Context(), "SELECT to_regclass($1) IS NOT NULL", table).Scan(&there)
	if err != nil {
		t.Fatal(err)
	}
	return there
}

func TestUpStatusDown(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, schema)
	r := runner(db, good)
	if s := statusOf(t, r); len(s.Pending) != 1 || s.Pending[0].File != "9001_try.sql" || s.Latest != 9001 {
		t.Fatalf("before: %+v", s)
	}
	if err := r.Up(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	s := statusOf(t, r)
	if s.Version != 9001 || len(s.Pending) != 0 || time.Since(*s.Since).Abs() > time.Minute {
		t.Fatalf("after up: %+v", s)
	}
	if err := r.Down(t.Context(), schema); err != nil {
		t.Fatal(err)
	}
	if s := statusOf(t, r); s.Version == 9001 || exists(t, db, "waste.tried") {
		t.Fatalf("after down: %+v", s)
	}
}

func TestEveryMigrationGoesDownAndUpAgain(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	r := migrate.New(migrate.Config{DSN: db.DSN(migrate.Migrator)})
	for _, name := range migrate.Schemas() {
		var err error
		for err == nil {
			err = r.Down(t.Context(), name)
		}
		if !errors.Is(err, migrate.ErrNothingApplied) {
			t.Fatal(err)
		}
	}
	if err := r.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	all, err := r.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if len(s.Pending) != 0 {
			t.Errorf("%s: %+v is pending", s.Schema, s.Pending)
		}
	}
}

func TestSecondRunWaitsAndSaysSo(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, schema)
	var (
		mu      sync.Mutex
		holders []migrate.Holder
		steps   int
		group   sync.WaitGroup
	)
	for range 2 {
		r := migrate.New(migrate.Config{
			DSN: db.DSN(migrate.Migrator), Files: files(slow),
			OnWait: func(h migrate.Holder) { mu.Lock(); defer mu.Unlock(); holders = append(holders, h) },
			OnStep: func(migrate.Step) { mu.Lock(); defer mu.Unlock(); steps++ },
		})
		group.Go(func() {
			if err := r.Up(t.Context(), schema); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if steps != 1 || len(holders) != 1 || holders[0].PID == 0 {
		t.Fatalf("%d steps, holders %v", steps, holders)
	}
}

func TestWaitIsBounded(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, schema)
	holder, err := db.Pool(migrate.Migrator).Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Release()
	if _, err := holder.Exec(t.Context(), "SELECT pg_advisory_lock($1)", int64(0x7761737465636f61)); err != nil {
		t.Fatal(err)
	}
	r := migrate.New(migrate.Config{DSN: db.DSN(migrate.Migrator), LockTimeout: 50 * time.Millisecond})
	if err := r.Up(t.Context()); !errors.Is(err, migrate.ErrLocked) {
		t.Fatalf("got %v", err)
	}
}

func TestFailureInTransactionLeavesNothing(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, schema)
	r := runner(db, wrong)
	err := r.Up(t.Context(), schema)
	if err == nil || !strings.Contains(err.Error(), "9001_try.sql") ||
		!strings.Contains(err.Error(), "division by zero") {
		t.Fatalf("got %v", err)
	}
	if s := statusOf(t, r); s.Half != nil || s.Version == 9001 || exists(t, db, "waste.left_over") {
		t.Fatalf("left behind: %+v", s)
	}
}

func TestHalfAppliedIsReportedAndRepaired(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"applied": true, "pending": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := testdb.New(t, schema)
			r := runner(db, halvesFault)
			var half *migrate.HalfAppliedError
			if err := r.Up(t.Context(), schema); !errors.As(err, &half) {
				t.Fatalf("first up: %v", err)
			}
			mark := statusOf(t, r).Half
			if mark == nil || mark.Version != 9001 || mark.Number != 2 || mark.Running ||
				!strings.Contains(mark.Statement, "SELECT 1/0") ||
				!strings.Contains(mark.Fault, "division by zero") {
				t.Fatalf("mark: %+v", mark)
			}
			if err := r.Up(t.Context(), schema); !errors.As(err, &half) {
				t.Fatalf("second up: %v", err)
			}
			if err := r.Repair(t.Context(), schema, 9000, applied); !errors.Is(err, migrate.ErrNotHalfApplied) {
				t.Fatalf("repairing another version: %v", err)
			}
			if err := r.Repair(t.Context(), schema, 9001, applied); err != nil {
				t.Fatal(err)
			}
			s := statusOf(t, r)
			if s.Half != nil || (s.Version == 9001) != applied {
				t.Fatalf("after the repair: %+v", s)
			}
		})
	}
}

func TestKilledRunIsHalfApplied(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, schema)
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), victimDSN+"="+db.DSN(migrate.Migrator))
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	r := runner(db, halves)
	deadline := time.Now().Add(20 * time.Second)
	for mark := (*migrate.Mark)(nil); mark == nil || mark.Number < 2; mark = statusOf(t, r).Half {
		if time.Now().After(deadline) {
			t.Fatalf("the victim does not come to its second statement: %+v", mark)
		}
	}
	if mark := statusOf(t, r).Half; !mark.Running {
		t.Errorf("a running migration is shown as stopped: %+v", mark)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	for statusOf(t, r).Half.Running {
		if time.Now().After(deadline) {
			t.Fatal("the server keeps the lock of a dead client")
		}
	}
	mark := statusOf(t, r).Half
	if mark == nil || mark.Number != 2 || mark.Fault != "" || mark.Running {
		t.Fatalf("mark: %+v", mark)
	}
	var half *migrate.HalfAppliedError
	if err := r.Up(t.Context(), schema); !errors.As(err, &half) {
		t.Fatalf("up: %v", err)
	}
}

func TestRolesAreApart(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	var powerful []string
	super := db.Pool(testdb.Superuser)
	err := super.QueryRow(t.Context(), `SELECT array_agg(rolname) FROM pg_roles WHERE rolname = ANY($1)
		AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)`,
		append(migrate.Schemas(), migrate.Migrator)).Scan(&powerful)
	if err != nil || len(powerful) != 0 {
		t.Errorf("roles with too much power: %v, %v", powerful, err)
	}
	for _, role := range migrate.Schemas() {
		if _, err := db.Pool(role).Exec(t.Context(), "CREATE TABLE private (id int)"); err != nil {
			t.Fatal(err)
		}
	}
	for _, role := range migrate.Schemas() {
		for _, other := range append(migrate.Schemas(), "public") {
			if other == role {
				continue
			}
			statement := "SELECT id FROM " + other + ".private"
			if other == "public" {
				statement = "CREATE TABLE public.squatter (id int)"
			}
			_, err := db.Pool(role).Exec(t.Context(), statement)
			var denied *pgconn.PgError
			if !errors.As(err, &denied) || denied.Code != "42501" {
				t.Errorf("%s: %s: %v", role, statement, err)
			}
		}
	}
}

func TestExtensions(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	var names []string
	err := db.Pool("locations").QueryRow(t.Context(),
		"SELECT array_agg(extname ORDER BY extname) FROM pg_extension WHERE extname <> 'plpgsql'").Scan(&names)
	want := []string{"cube", "earthdistance", "pg_trgm", "unaccent"}
	if err != nil || !slices.Equal(names, want) {
		t.Fatalf("got %v, %v", names, err)
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if path, err := migrate.Create(dir, schema, "Add a"); err != nil || filepath.Base(path) != "0001_add_a.sql" {
		t.Fatalf("%s, %v", path, err)
	}
	if path, err := migrate.Create(dir, schema, "add-b"); err != nil || filepath.Base(path) != "0002_add_b.sql" {
		t.Fatalf("%s, %v", path, err)
	}
	for _, fault := range [][2]string{{"nowhere", "a"}, {schema, "../../etc"}, {schema, ""}} {
		if _, err := migrate.Create(dir, fault[0], fault[1]); err == nil {
			t.Errorf("%v was accepted", fault)
		}
	}
}
