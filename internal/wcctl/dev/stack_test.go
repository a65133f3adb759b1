package dev

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/problem"
	"github.com/wastecoach/wastecoach/internal/wcctl/devstate"
)

func call(t *testing.T, method, url string) (int, http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Request-Id", "request-from-a-test")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(body)
}

func TestStackStartsServesStopsAndKeepsData(t *testing.T) {
	t.Parallel()
	data := newFolder(t)
	first := start(t, config(data, fakePools()))
	for _, p := range Look(t.Context(), first.Info) {
		if !p.Ready {
			t.Errorf("%s is not ready: %s", p.Name, p.Why)
		}
	}
	if _, err := TakeLock(data); !errors.As(err, new(*RunningError)) ||
		!strings.Contains(err.Error(), first.URL) {
		t.Errorf("a second stack: %v", err)
	}
	state, err := devstate.Read(string(data))
	if err != nil || state.URL != first.URL || len(state.Replicas["waste"]) != 2 ||
		state.MetricsURLs["waste-worker-1"] == "" {
		t.Errorf("state %+v, %v", state, err)
	}
	t.Run("proxy", func(t *testing.T) { testProxy(t, first.URL) })
	t.Run("replica falls", func(t *testing.T) { testFall(t, first.URL) })
	t.Run("server dies", func(t *testing.T) { testRevival(t, first.Info) })
	remember(t, first.Info)
	first.end(t)
	want := []string{
		"PostgreSQL", "migrations", "Redis", "S3", "OpenID provider", "service routes", "waste",
		"waste-worker", "API",
	}
	if got := first.parts(false); !slices.Equal(got, want) {
		t.Errorf("started %q", got)
	}
	want = slices.DeleteFunc(want, func(title string) bool { return title == "migrations" })
	slices.Reverse(want)
	if got := first.parts(true); !slices.Equal(got, want) {
		t.Errorf("stopped %q", got)
	}
	second := start(t, config(data, fakePools()))
	if second.URL != first.URL || second.OpenID != first.OpenID || second.Postgres != first.Postgres {
		t.Errorf("it moved from %s to %s", first.URL, second.URL)
	}
	recall(t, second.Info)
}

func testProxy(t *testing.T, url string) {
	seen := map[string]bool{}
	for range 10 {
		status, header, body := call(t, http.MethodGet, url+"/api/v1/waste/who")
		if status != http.StatusOK || header.Get("X-Request-Id") != "request-from-a-test" {
			t.Fatalf("%d, %v", status, header)
		}
		seen[body] = true
	}
	if len(seen) != 2 {
		t.Errorf("answers came from %v", seen)
	}
	for path, want := range map[string]struct {
		status int
		code   string
	}{
		"/metrics":                     {http.StatusNotFound, "route_not_found"},
		"/readyz":                      {http.StatusNotFound, "route_not_found"},
		"/api/v1/waste/../../metrics":  {http.StatusNotFound, "route_not_found"},
		"/api/v1/waste/%2e%2e/metrics": {http.StatusNotFound, "route_not_found"},
		"/api/v1/wastes":               {http.StatusNotFound, "route_not_found"},
		"/api/v1/locations/nearby":     {http.StatusServiceUnavailable, "no_replica"},
	} {
		status, header, body := call(t, http.MethodGet, url+path)
		var doc problem.Document
		if err := json.Unmarshal([]byte(body), &doc); err != nil || status != want.status ||
			doc.Code != want.code || doc.RequestID != "request-from-a-test" ||
			header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%s: %d %s", path, status, body)
		}
		if status == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
}

// testFall ends one replica: no request may fail for it, and it comes back.
func testFall(t *testing.T, url string) {
	if status, _, _ := call(t, http.MethodPost, url+"/api/v1/waste/fall"); status != http.StatusOK {
		t.Fatalf("%d", status)
	}
	seen := map[string]bool{}
	eventually(t, "both replicas answer again", func() bool {
		status, _, body := call(t, http.MethodGet, url+"/api/v1/waste/who")
		if status != http.StatusOK {
			t.Fatalf("a request failed with %d: %s", status, body)
		}
		seen[body] = true
		return len(seen) == 2
	})
}

// testRevival kills the servers as a crash would; the stack starts them again.
func testRevival(t *testing.T, info Info) {
	for _, name := range []string{"postgresql", "redis", "s3"} {
		if err := syscall.Kill(info.Children[name], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all have new processes that others can find", func() bool {
		now, err := Find(info.Data)
		if err != nil {
			t.Fatal(err)
		}
		for name, pid := range now.Children {
			if pid == info.Children[name] {
				return false
			}
		}
		return true
	})
	client := redis.NewClient(&redis.Options{Addr: info.Redis, Password: info.RedisPassword, MaxRetries: -1})
	defer client.Close()
	eventually(t, "redis answers", func() bool { return client.Ping(t.Context()).Err() == nil })
	eventually(t, "postgresql answers", func() bool {
		conn, err := pgx.Connect(t.Context(), info.Postgres)
		return err == nil && conn.Close(t.Context()) == nil
	})
	eventually(t, "s3 answers", func() bool {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, info.S3, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		return err == nil && resp.Body.Close() == nil
	})
}

func remember(t *testing.T, info Info) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), info.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE TABLE waste.kept AS SELECT 1 AS one"); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: info.Redis, Password: info.RedisPassword})
	defer client.Close()
	if err := client.Set(t.Context(), "kept", "1", 0).Err(); err != nil {
		t.Fatal(err)
	}
}

func recall(t *testing.T, info Info) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), info.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var one int
	if err := conn.QueryRow(t.Context(), "SELECT one FROM waste.kept").Scan(&one); err != nil {
		t.Error(err)
	}
	client := redis.NewClient(&redis.Options{Addr: info.Redis, Password: info.RedisPassword})
	defer client.Close()
	if got := client.Get(t.Context(), "kept").Val(); got != "1" {
		t.Errorf("redis kept %q", got)
	}
}

func TestSignalsLeaveNoProcess(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{"Ctrl-C": syscall.SIGINT, "kill -9": syscall.SIGKILL} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := newFolder(t)
			program, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			victim := exec.Command(program)
			victim.Env = append(os.Environ(), asStack+"="+string(data))
			victim.Stderr = os.Stderr
			if err := victim.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = victim.Process.Kill() })
			var info Info
			eventually(t, "it is ready", func() bool { info, err = Find(data); return err == nil })
			if err := victim.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			err = victim.Wait()
			if sig == syscall.SIGINT && err != nil {
				t.Errorf("after %s: %v", name, err)
			}
			pids := make([]int, 0, len(info.Children))
			for _, pid := range info.Children {
				pids = append(pids, pid)
			}
			expectGone(t, pids)
			if _, err := Find(data); !errors.Is(err, ErrNotRunning) {
				t.Errorf("a dead stack is found: %v", err)
			}
			start(t, config(data, fakePools()))
		})
	}
}

func TestTakenPort(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cfg := config(newFolder(t), nil)
	cfg.S3Port = l.Addr().(*net.TCPAddr).Port
	var taken *PortTakenError
	if err := Run(t.Context(), cfg); !errors.As(err, &taken) || taken.Flag != "--s3-port" ||
		!strings.Contains(taken.Listener, "dev.test") {
		t.Fatalf("got %v", err)
	}
}

func TestFailedStartStopsAll(t *testing.T) {
	t.Parallel()
	cfg := config(newFolder(t), fakePools())
	fault := errors.New("no configuration")
	cfg.Pools[1].Run = configured(
		func([]string) (fakeConfig, error) { return fakeConfig{}, fault }, serveFake)
	var started, stopped []string
	cfg.OnEvent = func(e Event) {
		if e.Err == nil && e.Stopped {
			stopped = append(stopped, e.Part)
		} else if e.Err == nil {
			started = append(started, e.Part)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if err := Run(ctx, cfg); !errors.Is(err, fault) || !strings.Contains(err.Error(), "waste-worker-1") {
		t.Fatalf("got %v", err)
	}
	if len(stopped) != len(started)-1 { // migrations have nothing to stop
		t.Errorf("started %q, stopped %q", started, stopped)
	}
}

func TestLogRotatesAndIsFollowed(t *testing.T) {
	t.Parallel()
	data := newFolder(t)
	if err := data.Make(); err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	log, err := OpenLog(data, &shown)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 10)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	write := func(text string) {
		if _, err := log.Write([]byte(text + "\n")); err != nil {
			t.Error(err)
		}
	}
	write(`{"level":"INFO","msg":"first"}`)
	go func() {
		_ = Tail(ctx, data.LogPath(), TailOptions{Last: 10, Follow: true}, func(line []byte) { lines <- string(line) })
	}()
	expect := func(want string) {
		select {
		case got := <-lines:
			if !strings.Contains(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("never: %s", want)
		}
	}
	expect("first")
	log.size = logLimit + 1
	write(`{"level":"WARN","msg":"second","service":"waste","error":"it burns"}`)
	expect("second")
	if !strings.Contains(shown.String(), "waste: second error=it burns") || strings.Contains(shown.String(), "first") {
		t.Errorf("shown: %s", shown.String())
	}
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	foreign := newFolder(t)
	if err := os.MkdirAll(string(foreign), 0o700); err != nil {
		t.Fatal(err)
	}
	photo := foreign.path("photo.jpg")
	if err := os.WriteFile(photo, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, do := range map[string]func() error{"make": foreign.Make, "empty": foreign.Empty} {
		if err := do(); !errors.Is(err, ErrForeignFolder) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ours := newFolder(t)
	if err := ours.Make(); err != nil {
		t.Fatal(err)
	}
	first, err := ours.secrets()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ours.secrets(); err != nil || again.MasterKey != first.MasterKey {
		t.Errorf("secrets changed: %v", err)
	}
	if info, err := os.Stat(ours.path("secrets.json")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("secrets have mode %v, %v", info.Mode(), err)
	}
	if err := ours.Empty(); err != nil {
		t.Fatal(err)
	}
	if again, err := ours.secrets(); err != nil || again.MasterKey == first.MasterKey {
		t.Errorf("secrets survived: %v", err)
	}
}

func TestEnvironPassesOnAndIsOurs(t *testing.T) {
	t.Parallel()
	latency := 20 * time.Millisecond
	all, err := environs(Config{
		Vision: "simulator", ModelLatency: &latency, Grace: time.Second,
		Environ: []string{
			"WASTE_VISION_API_KEY_FILE=/run/key", "WASTE_POSTGRES_DSN=elsewhere", "HOME=/root",
			"WASTE_POSTGRES_DSN_FILE=/run/dsn", "RECYCLING_LLM_MODEL=a=b", "LOG_LEVEL=debug",
			"WASTE_HTTP_LIMIT_READS=5/1m", "WASTE_HTTP_TRUSTED_PROXIES=0.0.0.0/0",
		},
	}, secrets{MasterKey: "k"}, addresses{Postgres: func(role string) string { return "dsn of " + role }})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"WASTE_VISION_API_KEY_FILE=/run/key", "WASTE_POSTGRES_DSN=dsn of waste", "LOG_LEVEL=debug",
		"WASTE_VISION_PROVIDER=simulator", "WASTE_VISION_SIMULATOR_LATENCY=20ms",
		"WASTE_HTTP_LIMIT_READS=5/1m", "WASTE_HTTP_LIMIT_WRITES=" + devLimits["WRITES"],
		"WASTE_HTTP_TRUSTED_PROXIES=127.0.0.0/8,::1/128",
	} {
		if !slices.Contains(all["waste"], want) {
			t.Errorf("%s is missing in %q", want, all["waste"])
		}
	}
	if slices.Contains(all["users"], "USERS_VISION_PROVIDER=local") {
		t.Error("users was given a vision model")
	}
	if !slices.Contains(all["recycling"], "RECYCLING_LLM_MODEL=a=b") {
		t.Errorf("recycling: %q", all["recycling"])
	}
	for _, line := range all["waste"] {
		if strings.HasPrefix(line, "HOME=") || strings.HasPrefix(line, "WASTE_POSTGRES_DSN_FILE=") {
			t.Errorf("%s must not pass", line)
		}
	}
}

func TestReplicasFlag(t *testing.T) {
	t.Parallel()
	r := DefaultReplicas(fakePools())
	if err := r.Set("waste=4, waste-worker=0"); err != nil || r.String() != "waste=4,waste-worker=0" {
		t.Fatalf("%s, %v", r, err)
	}
	for _, fault := range []string{"", "wste=1", "waste", "waste=-1", "waste=1000", "waste=x"} {
		if err := r.Set(fault); err == nil {
			t.Errorf("%q was accepted", fault)
		}
	}
}

func TestTheBuiltInModelLooksWhereNobodyIsNamed(t *testing.T) {
	t.Parallel()
	for want, environ := range map[string][]string{
		"local":       nil,
		"local-first": {"WASTE_VISION_PROVIDER=local-first"},
	} {
		all, err := environs(Config{Environ: environ}, secrets{},
			addresses{Postgres: func(role string) string { return role }})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(all["waste"], "WASTE_VISION_PROVIDER="+want) {
			t.Errorf("%q: %q", environ, all["waste"])
		}
	}
}
