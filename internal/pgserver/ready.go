package pgserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

const readyPoll = 10 * time.Millisecond

// invalidPassword is SQLSTATE 28P01.
const invalidPassword = "28P01"

// errLeftovers is returned while another server, or what is left of one, uses the data folder.
var errLeftovers = errors.New("data folder is in use")

func (s *Server) args() []string {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.port),
		"unix_socket_directories": "",
		"max_connections":         strconv.Itoa(s.cfg.MaxConnections),
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"logging_collector":       "off",
	}
	if s.cfg.Ephemeral {
		for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
			settings[name] = "off"
		}
		settings["checkpoint_timeout"] = "1h"
		settings["max_wal_size"] = "2GB"
	}
	for name, value := range s.cfg.Settings {
		settings[name] = value
	}
	args := []string{"-D", s.cfg.DataDir}
	names := make([]string, 0, len(settings))
	for name := range settings {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		args = append(args, "-c", name+"="+settings[name])
	}
	return args
}

// awaitReady polls with real logins: a server that listens may still be recovering.
func (s *Server) awaitReady(ctx context.Context) error {
	dsn := fmt.Sprintf("host=127.0.0.1 port=%d user=%s dbname=postgres sslmode=disable", s.port, Superuser)
	conf, err := pgx.ParseConfig(dsn)
	if err != nil {
		return err
	}
	conf.Password = s.cfg.Password
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		conn, err := pgx.ConnectConfig(ctx, conf)
		if err == nil {
			return conn.Close(ctx)
		}
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && pgErr.Code == invalidPassword {
			return fmt.Errorf("data folder %s was made with another superuser password: %w", s.cfg.DataDir, err)
		}
		select {
		case <-s.proc.Done():
			return s.proc.Err()
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w; last try: %w; its last lines:\n%s",
				ctx.Err(), err, s.proc.LogTail())
		case <-tick.C:
		}
	}
}

// explain adds the next step to what PostgreSQL writes about the usual accidents.
func explain(err error) error {
	text := err.Error()
	for _, known := range []struct {
		sign string
		kind error
		hint string
	}{
		{"Address already in use", childproc.ErrPortTaken, "choose another port"},
		{"shared memory block", errLeftovers, "processes of a killed server are still there"},
		{"No space left on device", nil, "the disk is full: make room, then start again"},
		{`lock file "postmaster.pid" already exists`, errLeftovers, "another PostgreSQL runs on this folder: stop it"},
		{"Permission denied", nil, "the folder or program is closed to the user who runs PostgreSQL"},
		{"permission denied", nil, "the program cannot be executed: check its mode"},
	} {
		if !strings.Contains(text, known.sign) {
			continue
		}
		if known.kind != nil {
			return fmt.Errorf("%w: %s: %w", known.kind, known.hint, err)
		}
		return fmt.Errorf("%s: %w", known.hint, err)
	}
	return err
}
