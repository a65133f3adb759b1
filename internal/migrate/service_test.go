package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/pgserver"
	"github.com/wastecoach/wastecoach/internal/testmain"
)

// emptyServer is a PostgreSQL of the test's own: roles belong to the whole server.
func emptyServer(t *testing.T) *pgserver.Server {
	t.Helper()
	dir, err := testmain.Dir("pg")
	if err != nil {
		t.Fatal(err)
	}
	srv, err := pgserver.Start(t.Context(), pgserver.Config{
		DataDir: filepath.Join(dir, "data"), Password: "secret", MaxConnections: 40, Ephemeral: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = srv.Kill() })
	execute(t, srv.DSN("postgres"), "CREATE DATABASE wastecoach")
	return srv
}

func execute(t *testing.T, dsn, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// migrateService runs the command migrate with a password for the role.
func migrateService(t *testing.T, srv *pgserver.Server, service, password string, more ...string) (string, error) {
	t.Helper()
	var log bytes.Buffer
	prefix := strings.ToUpper(service) + "_"
	environ := append([]string{
		prefix + "MIGRATOR_DSN=" + srv.DSN("wastecoach"),
		prefix + "POSTGRES_DSN=" + srv.UserDSN("wastecoach", service, password),
	}, more...)
	err := migrate.Service(service)(t.Context(), environ, slog.New(slog.NewTextHandler(&log, nil)))
	return log.String(), err
}

func TestServiceOnAnEmptyServer(t *testing.T) {
	t.Parallel()
	srv := emptyServer(t)
	// As at the first deployment of all: five jobs at once.
	var group errgroup.Group
	for _, service := range migrate.Schemas() {
		group.Go(func() error {
			_, err := migrateService(t, srv, service, "first")
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	all, err := migrate.New(migrate.Config{DSN: srv.DSN("wastecoach")}).Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Version == 0 || len(s.Pending) != 0 {
			t.Errorf("%s is at version %d, %d are pending", s.Schema, s.Version, len(s.Pending))
		}
	}
	execute(t, srv.UserDSN("wastecoach", "waste", "first"), "SELECT id FROM analyses")
	foreign := "SELECT FROM users.profiles"
	conn, err := pgx.Connect(t.Context(), srv.UserDSN("wastecoach", "waste", "first"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if _, err := conn.Exec(t.Context(), foreign); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("the role reads another service's schema: %v", err)
	}

	log, err := migrateService(t, srv, "waste", "second")
	if err != nil || strings.Contains(log, "migration applied") || !strings.Contains(log, "schema is ready") {
		t.Errorf("the second run: %v\n%s", err, log)
	}
	execute(t, srv.UserDSN("wastecoach", "waste", "second"), "SELECT 1")
}

// TestServiceWithoutASuperuser has what a provider of databases gives: a role that owns the database and may
// make roles. Of the extensions only earthdistance takes more.
func TestServiceWithoutASuperuser(t *testing.T) {
	t.Parallel()
	srv := emptyServer(t)
	execute(t, srv.DSN("postgres"), "CREATE ROLE provided LOGIN CREATEROLE PASSWORD 'x'")
	execute(t, srv.DSN("postgres"), "ALTER DATABASE wastecoach OWNER TO provided")
	execute(t, srv.DSN("wastecoach"), "CREATE EXTENSION cube; CREATE EXTENSION earthdistance")
	for range 2 {
		for _, service := range migrate.Schemas() {
			log, err := migrateService(t, srv, service, "first",
				strings.ToUpper(service)+"_MIGRATOR_DSN="+srv.UserDSN("wastecoach", "provided", "x"))
			if err != nil || !strings.Contains(log, "schema is ready") {
				t.Fatalf("%s: %v\n%s", service, err, log)
			}
		}
	}
	execute(t, srv.UserDSN("wastecoach", "locations", "first"), "SELECT FROM points")
}

func TestServiceRefuses(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		environ []string
		want    string
	}{
		"no superuser": {[]string{"WASTE_POSTGRES_DSN=postgres://waste:x@h/db"}, "WASTE_MIGRATOR_DSN"},
		"another user": {
			[]string{"WASTE_MIGRATOR_DSN=postgres://p:x@h/db", "WASTE_POSTGRES_DSN=postgres://auth:x@h/db"},
			"WASTE_POSTGRES_DSN must name the user waste",
		},
		"no password": {
			[]string{"WASTE_MIGRATOR_DSN=postgres://p:x@h/db", "WASTE_POSTGRES_DSN=postgres://waste@h/db"},
			"and a password",
		},
		"two databases": {
			[]string{"WASTE_MIGRATOR_DSN=postgres://p:x@h/one", "WASTE_POSTGRES_DSN=postgres://waste:x@h/two"},
			`names the database "two", WASTE_MIGRATOR_DSN "one"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := migrate.Service("waste")(t.Context(), tt.environ, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("no %q in: %v", tt.want, err)
			}
		})
	}
}

// TestAhead deploys an older build after a newer one.
func TestAhead(t *testing.T) {
	t.Parallel()
	srv := emptyServer(t)
	newer := migrate.New(migrate.Config{DSN: srv.DSN("wastecoach"), Files: files(good)})
	if err := newer.UpService(t.Context(), schema, "first"); err != nil {
		t.Fatal(err)
	}
	_, err := migrateService(t, srv, schema, "second")
	var ahead *migrate.AheadError
	if !errors.As(err, &ahead) || ahead.Version != 9001 ||
		!strings.Contains(err.Error(), "WASTE_MIGRATE_ACCEPT_AHEAD=true") {
		t.Fatalf("an older build: %v", err)
	}
	log, err := migrateService(t, srv, schema, "second", "WASTE_MIGRATE_ACCEPT_AHEAD=true")
	if err != nil || !strings.Contains(log, "schema left as it is") {
		t.Errorf("it is not accepted: %v\n%s", err, log)
	}
	execute(t, srv.UserDSN("wastecoach", "waste", "first"), "SELECT id FROM tried")
}
