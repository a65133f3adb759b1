package postgres_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/env"
	"github.com/wastecoach/wastecoach/internal/postgres"
	"github.com/wastecoach/wastecoach/internal/testdb"
)

const (
	lock     = 4242
	patience = 15 * time.Second
)

func TestMain(m *testing.M) { os.Exit(testdb.Main(m)) }

// replica is one process that would lead.
type replica struct {
	name string
	pool *pgxpool.Pool
	stop func()
}

// election is what several replicas of one database do.
type election struct {
	db *testdb.DB
	// began and ended carry the names of those who lead and no longer lead.
	began, ended chan string
	mu           sync.Mutex
	// most is how many may lead at once.
	leading, most int
}

func setup(t *testing.T) *election {
	t.Helper()
	return &election{db: testdb.New(t), began: make(chan string, 9), ended: make(chan string, 9), most: 1}
}

func (e *election) join(t *testing.T, name string) *replica {
	t.Helper()
	pool, err := postgres.Open(t.Context(),
		postgres.Config{DSN: env.Secret(e.db.DSN("waste")), MaxConns: 2}, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() {
		over <- postgres.Lead(ctx, pool, lock, slog.New(slog.DiscardHandler), func(ctx context.Context) error {
			e.count(t, 1)
			e.began <- name
			<-ctx.Done()
			e.count(t, -1)
			e.ended <- name
			return ctx.Err()
		})
	}()
	r := &replica{name: name, pool: pool}
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := wait(t, "the end of Lead", over); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func (e *election) count(t *testing.T, by int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.leading += by; e.leading > e.most {
		t.Errorf("%d lead at once", e.leading)
	}
}

// kill ends the session that holds the lock, which must be the named replica's.
func (e *election) kill(t *testing.T, name string) {
	t.Helper()
	super := e.db.Pool(testdb.Superuser)
	var (
		pid    int
		holder string
	)
	err := super.QueryRow(t.Context(), `
		SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a USING (pid)
		WHERE l.locktype = 'advisory' AND l.objid = $1 AND l.granted AND a.datname = current_database()`,
		lock).Scan(&pid, &holder)
	if err != nil || holder != name {
		t.Fatalf("%s leads, %q has the lock: %v", name, holder, err)
	}
	if _, err := super.Exec(t.Context(), "SELECT pg_terminate_backend($1)", pid); err != nil {
		t.Fatal(err)
	}
}

func (e *election) allow(most int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.most = most
}

func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !happened(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen within %s", what, patience)
		}
	}
}

func wait[T any](t *testing.T, what string, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("%s did not happen within %s", what, patience)
		panic("unreachable")
	}
}

func TestLeadershipMovesWithALostSession(t *testing.T) {
	t.Parallel()
	e := setup(t)
	replicas := map[string]*replica{}
	for _, name := range []string{"one", "two", "three"} {
		replicas[name] = e.join(t, name)
	}
	first := wait(t, "the first election", e.began)
	for name, r := range replicas {
		until(t, "the followers' second question", func() bool {
			return name == first || r.pool.Stat().AcquireCount() >= 2
		})
	}
	e.allow(2) // PostgreSQL frees the lock before the old leader notices
	e.kill(t, first)
	if lost := wait(t, "the loss", e.ended); lost != first {
		t.Errorf("%s ended, %s was killed", lost, first)
	}
	second := wait(t, "the second election", e.began)
	if second == first {
		t.Errorf("%s leads again, others were waiting", first)
	}
	e.allow(1)
	replicas[second].stop()
	if lost := wait(t, "the release", e.ended); lost != second {
		t.Errorf("%s ended, %s was stopped", lost, second)
	}
	wait(t, "the third election", e.began)
	for _, r := range replicas {
		var one int
		if err := r.pool.QueryRow(t.Context(), "SELECT 1").Scan(&one); err != nil || one != 1 {
			t.Errorf("the pool of %s: %v", r.name, err)
		}
		if n := r.pool.Stat().AcquiredConns(); n != 0 {
			t.Errorf("the pool of %s lacks %d connections", r.name, n)
		}
	}
}

func TestFollowersKeepTheirConnection(t *testing.T) {
	t.Parallel()
	e := setup(t)
	e.join(t, "leader")
	wait(t, "the election", e.began)
	follower := e.join(t, "follower")
	until(t, "the third question", func() bool { return follower.pool.Stat().AcquireCount() >= 3 })
	if n := follower.pool.Stat().NewConnsCount(); n > 1 {
		t.Errorf("three questions opened %d connections", n)
	}
}

func TestFrozenNetworkEndsLeadership(t *testing.T) {
	t.Parallel()
	e := setup(t)
	cfg, err := pgxpool.ParseConfig(e.db.DSN("waste"))
	if err != nil {
		t.Fatal(err)
	}
	frozen := make(chan struct{})
	cfg.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		port := strconv.Itoa(int(cfg.ConnConfig.Port))
		return relay(ctx, t, net.JoinHostPort(cfg.ConnConfig.Host, port), frozen)
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	err = postgres.Lead(ctx, pool, lock, slog.New(slog.DiscardHandler), func(led context.Context) error {
		close(frozen)
		select {
		case <-led.Done():
		case <-time.After(patience):
			t.Error("it still leads over a dead network")
		}
		cancel()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// relay is a connection to addr through which nothing comes any more once frozen is closed.
func relay(ctx context.Context, t *testing.T, addr string, frozen <-chan struct{}) (net.Conn, error) {
	t.Helper()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	t.Cleanup(func() { _ = errors.Join(server.Close(), far.Close()) })
	pump := func(to, from net.Conn) {
		buf := make([]byte, 4096)
		for {
			n, err := from.Read(buf)
			select {
			case <-frozen:
				return
			default:
			}
			if _, failed := to.Write(buf[:n]); err != nil || failed != nil {
				_ = to.Close()
				return
			}
		}
	}
	go pump(server, far)
	go pump(far, server)
	return near, nil
}

func TestLeadGoesOnAfterAFault(t *testing.T) {
	t.Parallel()
	e := setup(t)
	pool := e.db.Pool("waste")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var turns int
	err := postgres.Lead(ctx, pool, lock, slog.New(slog.DiscardHandler), func(context.Context) error {
		if turns++; turns == 2 {
			cancel()
		}
		return errors.New("fault")
	})
	if err != nil || turns != 2 {
		t.Errorf("%d turns, %v", turns, err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	e := setup(t)
	if _, err := postgres.Open(t.Context(), postgres.Config{DSN: "port=x", MaxConns: 1}, "a"); err == nil {
		t.Error("a broken DSN opens")
	}
	away, err := postgres.Open(t.Context(),
		postgres.Config{DSN: "postgres://127.0.0.1:1/x?connect_timeout=2", MaxConns: 1}, "a")
	if err != nil {
		t.Fatalf("a service cannot start before its database: %v", err)
	}
	defer away.Close()
	if err := postgres.Ready(away)(t.Context()); err == nil {
		t.Error("ready without PostgreSQL")
	}
	pool, err := postgres.Open(t.Context(),
		postgres.Config{DSN: env.Secret(e.db.DSN("waste")), MaxConns: 3}, "waste serve")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if err := postgres.Ready(pool)(t.Context()); err != nil {
		t.Error(err)
	}
	var application, zone string
	err = pool.QueryRow(t.Context(), "SELECT current_setting('application_name'), "+
		"current_setting('timezone')").Scan(&application, &zone)
	if err != nil || application != "waste serve" || zone != "UTC" || pool.Config().MaxConns != 3 {
		t.Errorf("%q, %q, %d connections, %v", application, zone, pool.Config().MaxConns, err)
	}
}
