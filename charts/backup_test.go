package charts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/selfsigned"
	"github.com/wastecoach/wastecoach/internal/tests3"
)

func TestMain(m *testing.M) { os.Exit(tests3.Main(m)) }

// database is PostgreSQL as the chart starts it, with an S3 gateway that takes its backups by TLS.
type database struct {
	*program
	s3  *tests3.Exclusive
	dsn string
}

func newDatabase(t *testing.T) *database {
	t.Helper()
	// The gateway's certificate stands for the Secret s3-tls.
	pair, err := selfsigned.Make("localhost")
	if err != nil {
		t.Fatal(err)
	}
	certificates := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(certificates, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	gateway := tests3.ServerTLS(t, file("tls.crt", pair.Certificate), file("tls.key", pair.Key))
	endpoint, err := url.Parse(gateway.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{
		"/etc/postgresql", "DIR", "/run/secrets/postgres", "DIR", "'/tmp'", "''", "/run/secrets/s3", "DIR",
		"/etc/pgbackrest", "DIR/etc-pgbackrest", "/var/lib/postgresql/data", "DIR",
		"s3.data.svc:7071", "localhost:" + endpoint.Port(),
		"wastecoach-backups", gateway.Name,
		"archive_timeout = 60", "archive_timeout = 1",
		"io-timeout=10", "io-timeout=1",
	}
	d := &database{program: newProgram(t, "postgres", "postgres", paths...), s3: gateway}
	d.files(t, "postgres-backup", paths...)
	d.write(t, "ca.crt", pair.Authority)
	// pgbackrest wants to see its name in archive_command.
	if err := os.Symlink(".", filepath.Join(d.dir, "etc-pgbackrest")); err != nil {
		t.Fatal(err)
	}
	d.dsn = "postgres://postgres:secret@" + d.address + "/wastecoach"
	d.env = []string{
		"PGDATA=" + filepath.Join(d.dir, "pgdata"), "PGPORT=" + d.port,
		// The chart's, for pods and jobs alike.
		"PGBACKREST_CONFIG=" + filepath.Join(d.dir, "pgbackrest.conf"), "PGBACKREST_STANZA=main",
		"PGBACKREST_REPO1_S3_KEY=" + gateway.AccessKey, "PGBACKREST_REPO1_S3_KEY_SECRET=" + gateway.SecretKey,
	}
	return d
}

// job runs one of the scripts as a Job does, to its end or the context's.
func (d *database) job(ctx context.Context, script string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", filepath.Join(d.dir, script))
	cmd.Dir = d.dir
	cmd.Env = append([]string{
		"PATH=/usr/bin:/bin", "PGHOST=127.0.0.1", "PGPASSWORD=secret", "PGBACKREST_PG1_PORT=" + d.port,
	}, append(d.env, env...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: d.account, Setpgid: true}
	// All of the pod ends at once.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	return output.String(), err
}

func (d *database) backUp(t *testing.T) {
	t.Helper()
	output, err := d.job(t.Context(), "create.sh")
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	lines := strings.Split(strings.TrimSpace(output), "\n")
	var stanzas []struct{ Backup []struct{ Label string } }
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &stanzas); err != nil || len(stanzas[0].Backup) == 0 {
		t.Fatalf("the last line tells of no backup: %v\n%s", err, output)
	}
}

func (d *database) restore(ctx context.Context, id string, to time.Time) (string, error) {
	return d.job(ctx, "restore.sh", "RESTORE_ID="+id, "RESTORE_KIB=1024",
		"RESTORE_TIME="+to.UTC().Format("2006-01-02 15:04:05.000000+00"))
}

func (d *database) mustRestore(t *testing.T, id string, to time.Time) string {
	t.Helper()
	output, err := d.restore(t.Context(), id, to)
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return output
}

// up starts the server and stops it with the returned function.
func (d *database) up(t *testing.T) (down func()) {
	t.Helper()
	d.start(t)
	awaitPostgres(t, d.dsn)
	return func() { d.stop(t, syscall.SIGINT) }
}

func (d *database) do(t *testing.T, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for _, statement := range statements {
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func ask[T any](t *testing.T, d *database, query string) (value T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), d.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if err := conn.QueryRow(t.Context(), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// rows are those of the table at stake; -1 where it is gone.
func (d *database) rows(t *testing.T) int {
	t.Helper()
	if !ask[bool](t, d, "SELECT to_regclass('waste.jobs') IS NOT NULL") {
		return -1
	}
	return ask[int](t, d, "SELECT count(*) FROM waste.jobs")
}

func (d *database) now(t *testing.T) time.Time {
	t.Helper()
	return ask[time.Time](t, d, "SELECT clock_timestamp()")
}

// nextSecond waits for it: a backup's times have whole seconds, so it counts from the next one on.
func (d *database) nextSecond(t *testing.T) time.Time {
	t.Helper()
	now := d.now(t)
	before := now.Truncate(time.Second)
	await(t, "the next second", func() error {
		if now = d.now(t); !now.Truncate(time.Second).After(before) {
			return errors.New("not yet")
		}
		return nil
	})
	return now
}

const insert = "INSERT INTO waste.jobs SELECT FROM generate_series(1, 100)"

// TestBackups takes the database back and forth in time, with the files that the chart gives its pods.
func TestBackups(t *testing.T) {
	t.Parallel()
	d := newDatabase(t)
	down := d.up(t)
	start := d.now(t)
	d.do(t, "CREATE SCHEMA waste", "CREATE TABLE waste.jobs (id bigserial PRIMARY KEY)", insert)
	began := time.Now()
	d.backUp(t)
	t.Logf("a base backup: %.1f s", time.Since(began).Seconds())
	d.do(t, insert)
	good := d.nextSecond(t)
	d.do(t, insert, "CREATE TABLE waste.later ()")
	d.do(t, "DROP TABLE waste.jobs")
	dropped := d.now(t)
	if n := d.rows(t); n != -1 {
		t.Fatalf("%d rows before the restore", n)
	}
	down()

	t.Run("a time before the first backup", func(t *testing.T) {
		output, err := d.restore(t.Context(), "early", start)
		if err == nil || !strings.Contains(output, "unable to find backup set") {
			t.Errorf("%v\n%s", err, output)
		}
	})
	t.Run("no room", func(t *testing.T) {
		output, err := d.job(t.Context(), "restore.sh", "RESTORE_ID=large", "RESTORE_KIB=9000000000000",
			"RESTORE_TIME=2026-01-01 00:00:00+00")
		if err == nil || !strings.Contains(output, "too little room") {
			t.Errorf("%v\n%s", err, output)
		}
	})
	t.Run("without S3", func(t *testing.T) {
		d.s3.Stop()
		output, err := d.restore(t.Context(), "alone", good)
		d.s3.Restart()
		if err == nil || !strings.Contains(output, "unable to connect") {
			t.Errorf("%v\n%s", err, output)
		}
	})
	t.Run("killed anywhere", func(t *testing.T) {
		for _, step := range []string{"getting the base backup", "replaying until", "counting rows", "putting it"} {
			d.killIn(t, step, good)
			d.aside(t)
		}
	})
	began = time.Now()
	output := d.mustRestore(t, "first", good)
	t.Logf("a restore: %.1f s", time.Since(began).Seconds())
	if !strings.Contains(output, "rows: wastecoach.waste.jobs 200\n") || strings.Contains(output, "waste.later") {
		t.Errorf("the restore counts:\n%s", output)
	}
	d.aside(t, "first")
	down = d.up(t)
	if n := d.rows(t); n != 200 {
		t.Errorf("%d rows after the restore, want 200", n)
	}
	if timeline := ask[int](t, d, "SELECT timeline_id FROM pg_control_checkpoint()"); timeline < 2 {
		t.Errorf("it is on timeline %d", timeline)
	}
	// Life goes on: its archive and its backups, too.
	d.backUp(t)
	d.do(t, insert)
	idle := d.nextSecond(t)
	down()

	t.Run("a time after the last transaction", func(t *testing.T) {
		output := d.mustRestore(t, "second", idle)
		if !strings.Contains(output, "it holds nothing later") {
			t.Errorf("it does not say so:\n%s", output)
		}
		down := d.up(t)
		defer down()
		if n := d.rows(t); n != 300 {
			t.Errorf("%d rows, want 300", n)
		}
	})
	t.Run("a time that was left", func(t *testing.T) {
		d.mustRestore(t, "third", dropped)
		down := d.up(t)
		defer down()
		if n := d.rows(t); n != -1 {
			t.Errorf("%d rows: the table was gone by then", n)
		}
	})
	t.Run("and back", func(t *testing.T) {
		d.mustRestore(t, "fourth", good)
		down := d.up(t)
		defer down()
		if n := d.rows(t); n != 200 {
			t.Errorf("%d rows, want 200", n)
		}
		d.archives(t)
	})
	d.aside(t, "first", "fourth", "second", "third")
}

// killIn ends a restore when it prints a step, and starts the server on what is there then.
func (d *database) killIn(t *testing.T, step string, to time.Time) {
	t.Helper()
	script := filepath.Join(d.dir, "restore.sh")
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	defer d.write(t, "restore.sh", string(text))
	killed := strings.Replace(string(text), `step "`+step, `kill -KILL 0; step "`+step, 1)
	if killed == string(text) {
		t.Fatalf("there is no step %q", step)
	}
	d.write(t, "restore.sh", killed)
	output, err := d.restore(t.Context(), "killed", to)
	var ended *exec.ExitError
	if !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("before %q: %v\n%s", step, err, output)
	}
	down := d.up(t)
	if n := d.rows(t); n != -1 {
		t.Errorf("killed before %q: %d rows are there, though nothing was put in place", step, n)
	}
	down()
}

// archives waits until what is written now is in the archive.
func (d *database) archives(t *testing.T) {
	t.Helper()
	segment := ask[string](t, d, "SELECT pg_walfile_name(pg_switch_wal())")
	await(t, "the archive", func() error {
		last := ask[string](t, d, "SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver")
		if last < segment {
			return fmt.Errorf("it has %q, not %s", last, segment)
		}
		return nil
	})
}

// aside wants the data of these restores beside the present, and nothing else of theirs.
func (d *database) aside(t *testing.T, ids ...string) {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(d.dir, "pgdata.*"))
	if err != nil {
		t.Fatal(err)
	}
	var names, want []string
	for _, path := range found {
		if name := strings.TrimPrefix(filepath.Base(path), "pgdata."); name != "restoring" {
			names = append(names, name)
		}
	}
	for _, id := range ids {
		want = append(want, "before-"+id)
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("there are %v, want %v", names, want)
	}
}
