// Package testredis gives each test databases of its own on a real redis-server.
package testredis

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/redisserver"
	"github.com/wastecoach/wastecoach/internal/testmain"
)

const (
	// databasesPerTest is how many numbers our code uses: 0 to 3.
	databasesPerTest = 4
	blocks           = 256
)

// Redis is four databases that no other test uses; channels of PUBLISH are shared all the same.
type Redis struct {
	tb    testing.TB
	srv   *redisserver.Server
	first int
}

var (
	shared = sync.OnceValues(func() (*redisserver.Server, error) {
		return start(context.Background(), blocks*databasesPerTest)
	})
	free = sync.OnceValue(func() chan int {
		numbers := make(chan int, blocks)
		for i := range blocks {
			numbers <- i
		}
		return numbers
	})
)

// Main runs the tests of a package and ends what they share: os.Exit(testredis.Main(m)).
func Main(m testmain.Tests) int { return testmain.Main(m) }

// New hands out four empty databases. It fails the test when redis-server is missing.
func New(tb testing.TB) *Redis {
	tb.Helper()
	srv, err := shared()
	if err != nil {
		tb.Fatalf("starting the tests' Redis: %v", err)
	}
	var block int
	select {
	case block = <-free():
	case <-tb.Context().Done():
		tb.Fatalf("waiting for one of %d blocks of databases: %v", blocks, tb.Context().Err())
	}
	r := &Redis{tb: tb, srv: srv, first: block * databasesPerTest}
	if err := r.flush(tb.Context()); err != nil {
		tb.Fatalf("emptying the databases: %v", err)
	}
	tb.Cleanup(func() { free() <- block })
	return r
}

func start(ctx context.Context, databases int) (*redisserver.Server, error) {
	dir, err := testmain.Dir("redis")
	if err != nil {
		return nil, err
	}
	srv, err := redisserver.Start(ctx, redisserver.Config{Dir: dir, Databases: databases, Ephemeral: true})
	if err != nil {
		return nil, err
	}
	testmain.AtExit(func() { _ = srv.Kill() })
	return srv, nil
}

// Addr is host:port.
func (r *Redis) Addr() string { return r.srv.Addr() }

// FirstDB is the number on the server of logical database 0 (redisdb.Config.FirstDB).
func (r *Redis) FirstDB() int { return r.first }

// DB is the number on the server of a logical database, 0 to 3.
func (r *Redis) DB(n int) int {
	r.tb.Helper()
	if n < 0 || n >= databasesPerTest {
		r.tb.Fatalf("there is no logical database %d", n)
	}
	return r.first + n
}

// Options connect to a logical database.
func (r *Redis) Options(n int) *redis.Options {
	r.tb.Helper()
	return r.srv.Options(r.DB(n))
}

// URL names a logical database.
func (r *Redis) URL(n int) string {
	r.tb.Helper()
	return fmt.Sprintf("redis://%s/%d", r.Addr(), r.DB(n))
}

// Client opens a logical database; it is closed when the test ends.
func (r *Redis) Client(n int) *redis.Client {
	r.tb.Helper()
	client := redis.NewClient(r.Options(n))
	r.tb.Cleanup(func() { _ = client.Close() })
	return client
}

// Flush empties the four databases, as FLUSHALL would a server of one's own.
func (r *Redis) Flush() {
	r.tb.Helper()
	if err := r.flush(r.tb.Context()); err != nil {
		r.tb.Fatalf("emptying the databases: %v", err)
	}
}

func (r *Redis) flush(ctx context.Context) error {
	for n := range databasesPerTest {
		client := redis.NewClient(r.srv.Options(r.first + n))
		err := client.FlushDB(ctx).Err()
		_ = client.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
