package pgserver_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/childproc"
	"github.com/wastecoach/wastecoach/internal/pgserver"
	"github.com/wastecoach/wastecoach/internal/testmain"
)

func TestMain(m *testing.M) { os.Exit(testmain.Main(m)) }

func config(t *testing.T) pgserver.Config {
	t.Helper()
	dir, err := testmain.Dir("pgserver")
	if err != nil {
		t.Fatal(err)
	}
	return pgserver.Config{
		DataDir: filepath.Join(dir, "sub", "data"), Password: "it's \"secret\" & 100%", Ephemeral: true,
		Settings: map[string]string{"shared_buffers": "16MB"},
	}
}

func start(t *testing.T, cfg pgserver.Config) *pgserver.Server {
	t.Helper()
	srv, err := pgserver.Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return srv
}

func query(t *testing.T, dsn, sql string) (string, error) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		return "", err
	}
	defer conn.Close(context.Background())
	var got string
	err = conn.QueryRow(t.Context(), sql).Scan(&got)
	return got, err
}

func TestDataSurvives(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	cfg.Ephemeral = false
	srv := start(t, cfg)
	const write = "CREATE TABLE kept AS SELECT 'yes' AS v"
	conn, err := pgx.Connect(t.Context(), srv.DSN("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), write); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
	const read = "SELECT v FROM kept"
	port := srv.Port()
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"restart", func() error { return srv.Restart(t.Context()) }},
		{"kill, restart", func() error { return errors.Join(srv.Kill(), srv.Restart(t.Context())) }},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if got, err := query(t, srv.DSN("postgres"), read); got != "yes" || err != nil || srv.Port() != port {
			t.Fatalf("after %s: %q %v", step.name, got, err)
		}
	}
	if err := srv.Kill(); err != nil {
		t.Fatal(err)
	}
	second := start(t, cfg)
	if got, err := query(t, second.DSN("postgres"), read); got != "yes" || err != nil {
		t.Fatalf("after a new start on the data of a killed server: %q %v", got, err)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	srv := start(t, config(t))
	for sql, want := range map[string]string{
		"SHOW server_encoding":         "UTF8",
		"SHOW lc_collate":              "C.UTF-8",
		"SHOW listen_addresses":        "127.0.0.1",
		"SHOW unix_socket_directories": "",
		"SHOW password_encryption":     "scram-sha-256",
		"SHOW timezone":                "UTC",
	} {
		if got, err := query(t, srv.DSN("postgres"), sql); got != want || err != nil {
			t.Errorf("%s: %q, %v; want %q", sql, got, err, want)
		}
	}
	if _, err := query(t, srv.UserDSN("postgres", pgserver.Superuser, "guessed"), "SELECT ''"); err == nil {
		t.Error("a wrong password is let in")
	}
}

func TestEndIsTold(t *testing.T) {
	t.Parallel()
	srv := start(t, config(t))
	if got, err := query(t, srv.DSN("postgres"), "SELECT pg_terminate_backend(pg_backend_pid())::text"); err == nil {
		t.Fatalf("the query ended with %q", got)
	}
	process, err := os.FindProcess(srv.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-srv.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("Done is not closed")
	}
	if err := srv.Err(); err == nil || !strings.Contains(err.Error(), "terminating connection") {
		t.Errorf("the error lacks the log's last lines: %v", err)
	}
}

func TestStartFailsClearly(t *testing.T) {
	t.Parallel()
	running := config(t)
	srv := start(t, running)
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	for name, tc := range map[string]struct {
		change func(c *pgserver.Config)
		want   string
	}{
		"port taken": {func(c *pgserver.Config) { c.Port = l.Addr().(*net.TCPAddr).Port }, "port is taken"},
		"in use": {
			func(c *pgserver.Config) { c.DataDir = running.DataDir }, "another PostgreSQL runs on this folder",
		},
		"not a cluster": {func(c *pgserver.Config) {
			write(t, filepath.Join(c.DataDir, "photo.jpg"), "x")
		}, "holds photo.jpg and no PostgreSQL data"},
		"other version": {func(c *pgserver.Config) {
			write(t, filepath.Join(c.DataDir, "PG_VERSION"), "9\n")
		}, "was made by PostgreSQL 9"},
		"bad setting":   {func(c *pgserver.Config) { c.Settings["shared_buffers"] = "lots" }, "shared_buffers"},
		"no password":   {func(c *pgserver.Config) { c.Password = "" }, "password"},
		"not a program": {func(c *pgserver.Config) { c.Binaries.Dir = "/etc" }, "/etc/initdb"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			tc.change(&cfg)
			if srv, err := pgserver.Start(t.Context(), cfg); err == nil {
				_ = srv.Kill()
				t.Fatal("it started")
			} else if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("no %q in: %v", tc.want, err)
			}
		})
	}
	if err := srv.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	running.Password = "forgotten"
	if _, err := pgserver.Start(t.Context(), running); err == nil ||
		!strings.Contains(err.Error(), "another superuser password") {
		t.Errorf("wrong password for existing data: %v", err)
	}
	running.Port = l.Addr().(*net.TCPAddr).Port
	if _, err := pgserver.Start(t.Context(), running); !errors.Is(err, childproc.ErrPortTaken) {
		t.Errorf("taken port: %v", err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Root hands the server to another user, who must be able to reach the folder.
func TestClosedParentIsNamed(t *testing.T) {
	t.Parallel()
	cfg := config(t)
	closed := filepath.Dir(cfg.DataDir)
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	srv, err := pgserver.Start(t.Context(), cfg)
	if os.Geteuid() != 0 {
		if err != nil {
			t.Fatal(err)
		}
		if err := srv.Kill(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), closed+" (mode 0700) cannot be entered") {
		t.Errorf("got %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	b, err := pgserver.Find()
	if err != nil {
		t.Fatal(err)
	}
	if b.Major < 14 || !strings.HasPrefix(b.Version, "1") {
		t.Errorf("found %+v", b)
	}
}

func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		dir, err := testmain.Dir("pgserver")
		if err != nil {
			b.Fatal(err)
		}
		srv, err := pgserver.Start(b.Context(), pgserver.Config{DataDir: filepath.Join(dir, "data"), Password: "x"})
		if err != nil {
			b.Fatal(err)
		}
		if err := srv.Stop(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
