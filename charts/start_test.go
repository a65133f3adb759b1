package charts_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"

	"github.com/wastecoach/wastecoach/internal/migrate"
)

// program runs a ConfigMap's start.sh with this machine's Debian programs, as a pod does with an image's.
type program struct {
	dir, address string
	port         string
	account      *syscall.Credential
	env          []string
	cmd          *exec.Cmd
}

// newProgram writes the ConfigMap's files to a folder, which replaces the container's.
func newProgram(t *testing.T, configMap, account string, replace ...string) *program {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(address)
	dir, err := os.MkdirTemp("", "wastecoach-chart-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &program{dir: dir, address: address, port: port}
	p.files(t, configMap, replace...)
	p.write(t, "password", "secret")
	if os.Geteuid() == 0 {
		p.give(t, account)
	}
	return p
}

// files writes those of a ConfigMap, where replace puts this program's paths in place of a container's.
func (p *program) files(t *testing.T, configMap string, replace ...string) {
	t.Helper()
	manifest, err := render(t, "data", "data", nil)
	if err != nil {
		t.Fatal(err)
	}
	replacer := strings.NewReplacer(append(replace, "DIR", p.dir, "PORT", p.port)...)
	for _, o := range objects(t, manifest) {
		if o.GetKind() != "ConfigMap" || o.GetName() != configMap {
			continue
		}
		for name, text := range typed[corev1.ConfigMap](t, o).Data {
			// Twice: what replaces may name the folder.
			p.write(t, name, replacer.Replace(replacer.Replace(text)))
		}
	}
}

func (p *program) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// give makes the folder another account's: PostgreSQL refuses root.
func (p *program) give(t *testing.T, account string) {
	t.Helper()
	u, err := user.Lookup(account)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.ParseUint(u.Uid, 10, 32)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	p.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	if err := os.Chown(p.dir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
}

func (p *program) start(t *testing.T) {
	t.Helper()
	p.cmd = exec.CommandContext(context.Background(), "sh", filepath.Join(p.dir, "start.sh"))
	p.cmd.Dir, p.cmd.Env = p.dir, append([]string{"PATH=/usr/bin:/bin"}, p.env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.account, Pdeathsig: syscall.SIGKILL}
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("%s", text)
		}
	})
}

// stop tells the program as its pod's end does, and waits.
func (p *program) stop(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Fatalf("it does not end well: %v", err)
	}
}

func TestPostgresStarts(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "postgres", "postgres",
		"/etc/postgresql", "DIR", "/run/secrets/postgres", "DIR", "'/tmp'", "''")
	p.env = []string{"PGDATA=" + filepath.Join(p.dir, "pgdata"), "PGPORT=" + p.port}
	// What a start that was cut off leaves behind.
	if err := os.MkdirAll(filepath.Join(p.dir, "pgdata.new", "base"), 0o777); err != nil {
		t.Fatal(err)
	}
	if p.account != nil {
		_ = os.Chown(filepath.Join(p.dir, "pgdata.new"), int(p.account.Uid), int(p.account.Gid))
		_ = os.Chown(filepath.Join(p.dir, "pgdata.new", "base"), int(p.account.Uid), int(p.account.Gid))
	}
	dsn := "postgres://postgres:secret@" + p.address + "/wastecoach"
	p.start(t)
	awaitPostgres(t, dsn)
	if err := migrate.New(migrate.Config{DSN: dsn}).UpService(t.Context(), "locations", "x"); err != nil {
		t.Fatal(err)
	}
	// A client stays connected: the end of the pod does not wait for it.
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	for statement, want := range map[string]string{
		"SHOW max_connections":     "300",
		"SHOW server_encoding":     "UTF8",
		"SHOW password_encryption": "scram-sha-256",
		"SHOW data_checksums":      "on",
		"SHOW TimeZone":            "UTC",
	} {
		var got string
		if err := conn.QueryRow(t.Context(), statement).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v, want %q", statement, got, err, want)
		}
	}
	if _, err := pgx.Connect(t.Context(), strings.Replace(dsn, "secret", "wrong", 1)); err == nil {
		t.Error("a wrong password is let in")
	}
	p.stop(t, syscall.SIGINT)
	p.start(t)
	awaitPostgres(t, "postgres://locations:x@"+p.address+"/wastecoach")
	p.stop(t, syscall.SIGINT)
}

func awaitPostgres(t *testing.T, dsn string) {
	t.Helper()
	await(t, "PostgreSQL", func() error {
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			return err
		}
		return conn.Close(t.Context())
	})
}

func TestRedisStarts(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "redis", "redis", "/etc/redis", "DIR", "dir /data", "dir DIR", "port 6379", "port PORT")
	p.env = []string{"REDIS_PASSWORD=secret"}
	client := redis.NewClient(&redis.Options{Addr: p.address, Password: "secret", DB: 15})
	t.Cleanup(func() { _ = client.Close() })
	ping := func() error { return client.Ping(t.Context()).Err() }
	p.start(t)
	await(t, "Redis", ping)
	settings, err := client.ConfigGet(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"appendonly": "yes", "maxmemory-policy": "noeviction", "maxmemory": fmt.Sprint(256 << 20),
		"databases": "16", "save": "",
	} {
		if settings[name] != want {
			t.Errorf("%s is %q, want %q", name, settings[name], want)
		}
	}
	stranger := redis.NewClient(&redis.Options{Addr: p.address})
	t.Cleanup(func() { _ = stranger.Close() })
	if err := stranger.Ping(t.Context()).Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("without a password: %v", err)
	}
	if err := client.Set(t.Context(), "kept", "yes", 0).Err(); err != nil {
		t.Fatal(err)
	}
	p.stop(t, syscall.SIGTERM)
	p.start(t)
	await(t, "Redis", ping)
	if got := client.Get(t.Context(), "kept").Val(); got != "yes" {
		t.Errorf("after a restart the key is %q", got)
	}
	p.stop(t, syscall.SIGTERM)
}
