// Package testdb gives each test a migrated database of its own on a real PostgreSQL.
package testdb

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/pgserver"
	"github.com/wastecoach/wastecoach/internal/testmain"
)

// Superuser is the role that may do everything; the other roles are the schemas' names and
// migrate.Migrator.
const Superuser = pgserver.Superuser

const (
	cleanupBudget = 30 * time.Second
	poolConns     = 8
)

// DB is one database. It is dropped when its test ends.
type DB struct {
	tb   testing.TB
	srv  *pgserver.Server
	name string
}

var (
	shared = sync.OnceValues(startShared)
	serial atomic.Int64
)

// Main runs the tests of a package and ends what they share: os.Exit(testdb.Main(m)).
func Main(m testmain.Tests) int { return testmain.Main(m) }

// New makes a database, migrated to the newest version. The schemas named must exist in it;
// naming them documents what the test reads and writes.
func New(tb testing.TB, schemas ...string) *DB {
	tb.Helper()
	for _, schema := range schemas {
		if !slices.Contains(migrate.Schemas(), schema) {
			tb.Fatalf("no schema %q, there are %v", schema, migrate.Schemas())
		}
	}
	srv, err := shared()
	if err != nil {
		tb.Fatalf("starting the tests' PostgreSQL: %v", err)
	}
	db := &DB{tb: tb, srv: srv, name: fmt.Sprintf("test_%d", serial.Add(1))}
	if err := db.create(tb.Context()); err != nil {
		tb.Fatalf("making a database: %v", err)
	}
	tb.Cleanup(db.drop)
	return db
}

// Name is the database's name.
func (db *DB) Name() string { return db.name }

// DSN connects a role (a schema's name, migrate.Migrator or Superuser) to the database.
func (db *DB) DSN(role string) string {
	if role == Superuser {
		return db.srv.DSN(db.name)
	}
	return db.srv.UserDSN(db.name, role, Password(role))
}

// Password is the password of a role in every test database.
func Password(role string) string {
	if role == Superuser {
		return superuserPassword
	}
	return "test-" + role
}

// Pool opens at most 8 connections as a role; they are closed when the test ends.
func (db *DB) Pool(role string) *pgxpool.Pool {
	db.tb.Helper()
	cfg, err := pgxpool.ParseConfig(db.DSN(role))
	if err != nil {
		db.tb.Fatalf("reading DSN: %v", err)
	}
	cfg.MaxConns = poolConns
	pool, err := pgxpool.NewWithConfig(db.tb.Context(), cfg)
	if err != nil {
		db.tb.Fatalf("opening a pool: %v", err)
	}
	db.tb.Cleanup(pool.Close)
	return pool
}

// create copies the template, and with it what CREATE DATABASE leaves behind: the grants on
// the database and the settings of roles in it.
func (db *DB) create(ctx context.Context) error {
	return asSuperuser(ctx, db.srv, func(conn *pgx.Conn) error {
		for _, statement := range []string{
			"CREATE DATABASE " + db.name + " TEMPLATE " + templateName,
			"UPDATE pg_database SET datacl = t.datacl FROM pg_database t" +
				" WHERE t.datname = '" + templateName + "' AND pg_database.datname = '" + db.name + "'",
			"INSERT INTO pg_db_role_setting SELECT d.oid, s.setrole, s.setconfig" +
				" FROM pg_db_role_setting s JOIN pg_database t ON t.oid = s.setdatabase, pg_database d" +
				" WHERE t.datname = '" + templateName + "' AND d.datname = '" + db.name + "'",
		} {
			if _, err := conn.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

func (db *DB) drop() {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupBudget)
	defer cancel()
	err := asSuperuser(ctx, db.srv, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+db.name+" WITH (FORCE)")
		return err
	})
	if err != nil {
		db.tb.Errorf("dropping database %s: %v", db.name, err)
	}
}

func asSuperuser(ctx context.Context, srv *pgserver.Server, do func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, srv.DSN(Superuser))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return do(conn)
}
