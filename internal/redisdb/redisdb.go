// Package redisdb opens the four Redis databases by their job.
package redisdb

import (
	"context"
	"fmt"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/env"
)

// DB is one of the four databases.
type DB int

// The databases, each with its own keys and lifetimes (docs/architecture.md).
const (
	Sessions DB = iota // auth: sessions, OAuth state, refresh families
	Jobs               // asynq queues and live job progress
	Advice             // LLM answers; may be lost
	Common             // image hashes, location queries, rate limits; may be lost
)

// Config says where Redis is.
type Config struct {
	// Addr is host:port.
	Addr string `env:"ADDR" envDefault:"127.0.0.1:6379"`
	// Password authenticates; empty for none.
	Password env.Secret `env:"PASSWORD"`
	// FirstDB is the number of the first of the four databases: not 0 where systems share a server.
	FirstDB int `env:"FIRST_DB" envDefault:"0"`
}

// dialTimeout is short and redials are few: who asks has PostgreSQL to turn to, or a caller who
// can come again.
const dialTimeout = time.Second

// Open returns a client of one database. It connects at the first command.
func (c Config) Open(db DB) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: c.Addr, Password: c.Password.Reveal(), DB: c.FirstDB + int(db),
		DialTimeout: dialTimeout, DialerRetries: 1, MaxRetries: 1,
	})
}

// Asynq returns the options of the database with the queues.
func (c Config) Asynq() asynq.RedisClientOpt {
	return asynq.RedisClientOpt{
		Addr: c.Addr, Password: c.Password.Reveal(), DB: c.FirstDB + int(Jobs),
	}
}

// Ready returns a readiness check of the client.
func Ready(client *redis.Client) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := client.Ping(ctx).Err(); err != nil {
			return fmt.Errorf("reaching Redis: %w", err)
		}
		return nil
	}
}
