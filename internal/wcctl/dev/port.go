package dev

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

// PortTakenError says that a wished port is in use.
type PortTakenError struct {
	Part string
	Port int
	// Flag chooses another one.
	Flag string
	// Listener is who has it, e.g. "nginx (process 7)"; empty when it cannot be seen.
	Listener string
}

// Error implements error.
func (e *PortTakenError) Error() string {
	by := "by another program"
	if e.Listener != "" {
		by = "by " + e.Listener
	}
	return fmt.Sprintf("port %d for %s is taken %s", e.Port, e.Part, by)
}

// ports are the chosen ones; the folder remembers them so that a free one is the same next time.
type ports struct {
	Proxy    int `json:"proxy"`
	S3       int `json:"s3"`
	OpenID   int `json:"openid"`
	Postgres int `json:"postgres"`
	Redis    int `json:"redis"`
}

// choosePorts checks all ports before anything starts.
func choosePorts(ctx context.Context, cfg Config) (ports, error) {
	data := cfg.Data
	var p ports
	if err := readJSON(data.path("ports.json"), &p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	taken := map[int]bool{}
	for _, wish := range []struct {
		part, flag string
		wish       int
		port       *int
	}{
		{"the API", "--port", cfg.Port, &p.Proxy},
		{"S3", "--s3-port", cfg.S3Port, &p.S3},
		{"the OpenID provider", "--openid-port", cfg.OpenIDPort, &p.OpenID},
		{"PostgreSQL", "--postgres-port", cfg.PostgresPort, &p.Postgres},
		{"Redis", "--redis-port", cfg.RedisPort, &p.Redis},
	} {
		port, err := choosePort(ctx, wish.wish, *wish.port, taken)
		if errors.Is(err, childproc.ErrPortTaken) {
			return p, &PortTakenError{
				Part: wish.part, Port: wish.wish, Flag: wish.flag, Listener: listener(wish.wish),
			}
		}
		if err != nil {
			return p, err
		}
		*wish.port, taken[port] = port, true
	}
	return p, writeJSON(data.path("ports.json"), p)
}

func choosePort(ctx context.Context, wish, last int, taken map[int]bool) (int, error) {
	if wish != 0 {
		if taken[wish] {
			return 0, fmt.Errorf("port %d is wished for twice", wish)
		}
		return childproc.Port(ctx, wish)
	}
	if last != 0 && !taken[last] {
		if port, err := childproc.Port(ctx, last); err == nil {
			return port, nil
		}
	}
	for {
		port, err := childproc.Port(ctx, 0)
		if err != nil || !taken[port] {
			return port, err
		}
	}
}
