package dev

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/wastecoach/wastecoach/internal/idp"
	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/pgserver"
	"github.com/wastecoach/wastecoach/internal/redisserver"
	"github.com/wastecoach/wastecoach/internal/s3server"
)

const (
	database = "wastecoach"
	// maxConnections leaves room beyond the pools of all default replicas for more by hand.
	maxConnections = 300
)

func (s *stack) startPostgres(ctx context.Context) (string, error) {
	srv, err := pgserver.Start(ctx, pgserver.Config{
		DataDir: s.cfg.Data.path("postgresql"), LogPath: s.cfg.Data.path("log", "postgresql.log"),
		Port: s.ports.Postgres, Password: s.secrets.Superuser, MaxConnections: maxConnections,
		Logger: s.logger.With("part", "postgresql"),
	})
	if err != nil {
		return "", err
	}
	s.postgres = s.keep(ctx, "postgresql", srv)
	s.at.Postgres = func(role string) string {
		if role == pgserver.Superuser {
			return srv.DSN(database)
		}
		return srv.UserDSN(database, role, s.secrets.Roles[role])
	}
	if err := makeDatabase(ctx, srv.DSN(pgserver.Superuser)); err != nil {
		return "", errors.Join(err, s.postgres.stop(context.WithoutCancel(ctx)))
	}
	return srv.Version() + " on " + srv.Addr(), nil
}

// makeDatabase makes our database unless it exists.
func makeDatabase(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return fmt.Errorf("connecting to PostgreSQL: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var there bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).
		Scan(&there)
	if err == nil && !there {
		_, err = conn.Exec(ctx, "CREATE DATABASE "+database)
	}
	if err != nil {
		return fmt.Errorf("making the database: %w", err)
	}
	return nil
}

func (s *stack) migrate(ctx context.Context) (string, error) {
	if err := migrate.Bootstrap(ctx, s.at.Postgres(pgserver.Superuser), s.secrets.Roles); err != nil {
		return "", err
	}
	applied := 0
	runner := migrate.New(migrate.Config{
		DSN: s.at.Postgres(migrate.Migrator),
		OnWait: func(h migrate.Holder) {
			s.logger.WarnContext(ctx, "waiting for another migration run", "text", h.String())
		},
		OnStep: func(step migrate.Step) {
			applied++
			s.logger.InfoContext(ctx, "migration applied", "schema", step.Schema,
				"version", step.Version, "duration", step.Took)
		},
	})
	err := runner.Up(ctx)
	if applied == 0 {
		return "nothing to apply", err
	}
	return fmt.Sprintf("%d applied", applied), err
}

func (s *stack) startRedis(ctx context.Context) (string, error) {
	srv, err := redisserver.Start(ctx, redisserver.Config{
		Dir: s.cfg.Data.path("redis"), Port: s.ports.Redis, Password: s.secrets.Redis, AllowStandIn: true,
		Logger: s.logger.With("part", "redis"),
	})
	if err != nil {
		return "", err
	}
	s.redis = s.keep(ctx, "redis", srv)
	s.at.Redis = srv.Addr()
	if !srv.Durable() {
		return srv.Addr() + " (miniredis: forgets everything at a stop)", nil
	}
	return srv.Addr(), nil
}

func (s *stack) startS3(ctx context.Context) (string, error) {
	srv, err := s3server.Start(ctx, s3server.Config{
		Dir: s.cfg.Data.path("s3"), Port: s.ports.S3,
		AccessKey: s.secrets.S3AccessKey, SecretKey: s.secrets.S3SecretKey, Buckets: []string{bucket},
		Command: s.cfg.Gateway, Env: s.cfg.GatewayEnv, Logger: s.logger.With("part", "s3"),
	})
	if err != nil {
		return "", err
	}
	s.s3 = s.keep(ctx, "s3", srv)
	s.at.S3 = srv.Endpoint()
	return srv.Endpoint(), nil
}

// startOpenID serves on a port that stays the same: the issuer is part of who a user is.
func (s *stack) startOpenID(ctx context.Context) (string, error) {
	l, err := listen(ctx, s.ports.OpenID, "the OpenID provider", "--openid-port")
	if err != nil {
		return "", err
	}
	s.at.OpenID = "http://" + l.Addr().String()
	provider, err := idp.New(idp.Config{
		Issuer: s.at.OpenID, AutoApprove: true, KeyFile: s.cfg.Data.path("openid.key"), Now: time.Now,
		Users: []idp.User{
			{Sub: "dev", Name: "Dev User", Email: "dev@example.com"},
			{Sub: "other", Name: "Other User", Email: "other@example.com"},
		},
		Clients: []idp.Client{
			{ID: openIDClient, Secret: s.secrets.OpenID, RedirectURIs: []string{LoopbackRedirect}},
			{ID: openIDApp, RedirectURIs: []string{LoopbackRedirect}},
		},
	})
	if err != nil {
		return "", fmt.Errorf("%w (%w)", err, l.Close())
	}
	s.openID = serve(l, provider, s.cfg.Grace, s.logger)
	return s.at.OpenID, nil
}

// LogFiles are the logs of the programs that are not ours, by part.
func (f Folder) LogFiles() map[string]string {
	return map[string]string{
		"postgresql": f.path("log", "postgresql.log"),
		"redis":      filepath.Join(f.path("redis"), "redis.log"),
		"s3":         filepath.Join(f.path("s3"), "gateway.log"),
	}
}
