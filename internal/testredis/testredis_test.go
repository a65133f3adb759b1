package testredis_test

import (
	"errors"
	"os"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/testredis"
)

func TestMain(m *testing.M) { os.Exit(testredis.Main(m)) }

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := testredis.New(t), testredis.New(t)
	if err := a.Client(1).Set(t.Context(), "key", "a", 0).Err(); err != nil {
		t.Fatal(err)
	}
	for n, client := range map[string]*redis.Client{"other test": b.Client(1), "other DB": a.Client(0)} {
		if err := client.Get(t.Context(), "key").Err(); !errors.Is(err, redis.Nil) {
			t.Errorf("%s sees the key: %v", n, err)
		}
	}
	b.Flush()
	if got := a.Client(1).Get(t.Context(), "key").Val(); got != "a" {
		t.Errorf("another test's flush left %q", got)
	}
}

func TestBlocksComeBackEmpty(t *testing.T) {
	t.Parallel()
	for range 300 {
		t.Run("block", func(t *testing.T) {
			client := testredis.New(t).Client(3)
			if n := client.DBSize(t.Context()).Val(); n != 0 {
				t.Fatalf("%d keys of an earlier test", n)
			}
			if err := client.Set(t.Context(), "left", "over", 0).Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestServerRestartsEmptyOnSamePort(t *testing.T) {
	t.Parallel()
	r := testredis.Server(t)
	client, addr := r.Client(0), r.Addr()
	if err := client.Set(t.Context(), "key", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	r.Kill()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Fatal("a killed server answers")
	}
	r.Restart()
	if r.Addr() != addr {
		t.Fatalf("it moved from %s to %s", addr, r.Addr())
	}
	if err := client.Get(t.Context(), "key").Err(); !errors.Is(err, redis.Nil) {
		t.Fatalf("after the restart: %v", err)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		testredis.New(b)
	}
}
