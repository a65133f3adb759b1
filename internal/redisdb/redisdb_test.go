package redisdb_test

import (
	"os"
	"testing"

	"github.com/wastecoach/wastecoach/internal/redisdb"
	"github.com/wastecoach/wastecoach/internal/testredis"
)

func TestMain(m *testing.M) { os.Exit(testredis.Main(m)) }

func TestDatabasesByTheirJob(t *testing.T) {
	t.Parallel()
	r := testredis.New(t)
	cfg := redisdb.Config{Addr: r.Addr(), FirstDB: r.FirstDB()}
	for db, number := range map[redisdb.DB]int{
		redisdb.Sessions: 0, redisdb.Jobs: 1, redisdb.Advice: 2, redisdb.Common: 3,
	} {
		client := cfg.Open(db)
		t.Cleanup(func() { _ = client.Close() })
		if err := client.Set(t.Context(), "job", number, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Client(number).Get(t.Context(), "job").Int(); err != nil || got != number {
			t.Errorf("database %d has %d, %v", number, got, err)
		}
	}
	if opt := cfg.Asynq(); opt.DB != r.DB(1) || opt.Addr != r.Addr() {
		t.Errorf("the queues are in %+v", opt)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	r := testredis.New(t)
	here := redisdb.Config{Addr: r.Addr(), FirstDB: r.FirstDB()}.Open(redisdb.Jobs)
	defer here.Close()
	if err := redisdb.Ready(here)(t.Context()); err != nil {
		t.Error(err)
	}
	away := redisdb.Config{Addr: "127.0.0.1:1"}.Open(redisdb.Jobs)
	defer away.Close()
	if err := redisdb.Ready(away)(t.Context()); err == nil {
		t.Error("ready without Redis")
	}
}
