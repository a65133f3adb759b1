package testdb_test

import (
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/testdb"
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := testdb.New(t, "waste"), testdb.New(t)
	if _, err := a.Pool("waste").Exec(t.Context(), "CREATE TABLE only_here (id int)"); err != nil {
		t.Fatal(err)
	}
	var found *string
	err := b.Pool("waste").QueryRow(t.Context(), "SELECT to_regclass('waste.only_here')::text").Scan(&found)
	if err != nil || found != nil {
		t.Fatalf("table of another test: %v, %v", found, err)
	}
}

func TestEveryRoleLogsIn(t *testing.T) {
	t.Parallel()
	db := testdb.New(t)
	for _, role := range append(migrate.Schemas(), migrate.Migrator, testdb.Superuser) {
		var name string
		if err := db.Pool(role).QueryRow(t.Context(), "SELECT current_user").Scan(&name); err != nil {
			t.Errorf("role %s: %v", role, err)
		}
		if name != role {
			t.Errorf("role %s: logged in as %s", role, name)
		}
	}
}

func TestRoleOwnsOnlyItsSchema(t *testing.T) {
	t.Parallel()
	db := testdb.New(t, "waste", "auth")
	if _, err := db.Pool("waste").Exec(t.Context(), "CREATE TABLE auth.stolen (id int)"); err == nil {
		t.Fatal("waste may write in the schema of auth")
	}
}

func TestServerSurvivesRestartAndKill(t *testing.T) {
	t.Parallel()
	db := testdb.Server(t)
	if _, err := db.Pool("waste").Exec(t.Context(), "CREATE TABLE kept AS SELECT 1 AS one"); err != nil {
		t.Fatal(err)
	}
	dsn := db.DSN("waste")
	db.Stop()
	if _, err := pgx.Connect(t.Context(), dsn); err == nil {
		t.Fatal("a stopped server answers")
	}
	db.Restart()
	db.Kill()
	db.Restart()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var one int
	if err := conn.QueryRow(t.Context(), "SELECT one FROM kept").Scan(&one); err != nil || one != 1 {
		t.Fatalf("after restarts: %d, %v", one, err)
	}
}

func BenchmarkNew(b *testing.B) {
	testdb.New(b)
	for b.Loop() {
		began := time.Now()
		testdb.New(b)
		b.ReportMetric(float64(time.Since(began).Milliseconds()), "last-ms")
	}
}
