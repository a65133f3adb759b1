package testdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/pgserver"
	"github.com/wastecoach/wastecoach/internal/testmain"
)

const (
	templateName      = "migrated"
	superuserPassword = "test-superuser"
	// maxConnections leaves room for every test of a binary to run at once with its pools.
	maxConnections = 400
)

// startShared starts the binary's server and migrates the template of all its databases.
func startShared() (*pgserver.Server, error) {
	dir, err := testmain.Dir("pg")
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	srv, err := startServer(ctx, dir)
	if err != nil {
		return nil, err
	}
	testmain.AtExit(func() { _ = srv.Kill() })
	return srv, makeMigrated(ctx, srv)
}

func startServer(ctx context.Context, dir string) (*pgserver.Server, error) {
	cluster, err := cachedCluster(ctx)
	if err != nil {
		return nil, err
	}
	return pgserver.Start(ctx, pgserver.Config{
		DataDir: filepath.Join(dir, "data"), Password: superuserPassword, InitFrom: cluster,
		MaxConnections: maxConnections, Ephemeral: true,
		Settings: map[string]string{"shared_buffers": "64MB", "max_worker_processes": "2"},
	})
}

// makeMigrated makes the template database.
func makeMigrated(ctx context.Context, srv *pgserver.Server) error {
	err := asSuperuser(ctx, srv, func(conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+templateName)
		return err
	})
	if err != nil {
		return fmt.Errorf("making the template database: %w", err)
	}
	passwords := map[string]string{migrate.Migrator: Password(migrate.Migrator)}
	for _, schema := range migrate.Schemas() {
		passwords[schema] = Password(schema)
	}
	if err := migrate.Bootstrap(ctx, srv.DSN(templateName), passwords); err != nil {
		return err
	}
	migrator := srv.UserDSN(templateName, migrate.Migrator, Password(migrate.Migrator))
	return migrate.Up(ctx, migrator, slog.New(slog.DiscardHandler))
}

// cachedCluster makes one empty cluster for each server version on this machine: initdb takes
// longer than all the rest of a start.
func cachedCluster(ctx context.Context) (string, error) {
	bin, err := pgserver.Find()
	if err != nil {
		return "", fmt.Errorf("%w: apt-get install postgresql-15", err)
	}
	root := filepath.Join(os.TempDir(), fmt.Sprintf("wastecoach-initdb-%d", os.Geteuid()))
	if err := privateDir(root); err != nil {
		return "", err
	}
	unlock, err := testmain.Lock(filepath.Join(root, "lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	cluster := filepath.Join(root, bin.Version)
	return cluster, pgserver.Init(ctx, pgserver.Config{
		DataDir: cluster, Password: superuserPassword, Ephemeral: true, Binaries: bin,
	})
}

// privateDir makes sure that the folder is ours: its name can be guessed by every user.
func privateDir(dir string) error {
	err := os.Mkdir(dir, 0o711) //nolint:gosec // PostgreSQL's user passes through it
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a folder of this user: remove it", dir)
	}
	return nil
}
