package migrate

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// extensions are contrib modules that the schemas use; a superuser creates them once.
func extensions() []string { return []string{"cube", "earthdistance", "pg_trgm", "unaccent"} }

// Bootstrap creates the roles, the schemas and the extensions of the database that the
// superuser's dsn names. passwords has one entry for each schema and for Migrator. It may be
// run again: passwords are then set anew and nothing else changes.
func Bootstrap(ctx context.Context, superuserDSN string, passwords map[string]string) error {
	for _, role := range append(Schemas(), Migrator) {
		if passwords[role] == "" {
			return fmt.Errorf("role %s has no password", role)
		}
	}
	conn, err := pgx.Connect(ctx, superuserDSN)
	if err != nil {
		return fmt.Errorf("connecting as superuser: %w", err)
	}
	defer conn.Close(ctx)
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, statement := range bootstrapSQL(passwords) {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return fmt.Errorf("preparing the database: %w", err)
			}
		}
		return nil
	})
}

func bootstrapSQL(passwords map[string]string) []string {
	statements := append([]string{fmt.Sprintf("SELECT pg_advisory_xact_lock(%d)", int64(lockID))}, sharedSQL()...)
	statements = append(statements, createRole(Migrator, passwords[Migrator])...)
	for _, schema := range Schemas() {
		statements = append(statements, createSchema(schema, passwords[schema])...)
		statements = append(statements, "GRANT "+schema+" TO "+Migrator)
	}
	return statements
}

// sharedSQL prepares what all schemas have in common.
func sharedSQL() []string {
	statements := []string{"REVOKE CREATE ON SCHEMA public FROM PUBLIC"}
	for _, name := range extensions() {
		statements = append(statements,
			"CREATE EXTENSION IF NOT EXISTS "+name+" SCHEMA public")
	}
	return statements
}

// createSchema makes a service's role and the schema that it owns.
func createSchema(name, password string) []string {
	return append(createRole(name, password),
		// Who is no superuser acts only as roles that it was given. A provider of databases gives no superuser.
		"DO $$ BEGIN IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN GRANT "+name+
			" TO current_user; END IF; END $$",
		"CREATE SCHEMA IF NOT EXISTS "+name+" AUTHORIZATION "+name,
		"ALTER ROLE "+name+" SET search_path = "+name+", public",
	)
}

func createRole(name, password string) []string {
	return []string{
		"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = " + quote(name) +
			") THEN CREATE ROLE " + name + " LOGIN; END IF; END $$",
		// Even to say what is so already takes a superuser.
		"DO $$ BEGIN IF EXISTS (SELECT FROM pg_roles WHERE rolname = " + quote(name) +
			" AND (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls)) THEN ALTER ROLE " +
			name + " NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS; END IF; END $$",
		"ALTER ROLE " + name + " PASSWORD " + quote(password),
	}
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
