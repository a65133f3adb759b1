//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/wastecoach/wastecoach/internal/client"
	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
)

// stack is a `wcctl dev` of the test's own, on free ports and in a folder of its own.
type stack struct {
	t    *testing.T
	home string
	dev.Info
}

// binary is a program that `make build` has made.
func binary(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%s is not built: run `make build`", name)
	}
	return path
}

// startStack runs `wcctl dev --detach`; environ is added to the test's own.
func startStack(t *testing.T, environ []string, flags ...string) *stack {
	t.Helper()
	// Not t.TempDir: PostgreSQL, which is not root, has to reach it.
	dir, err := os.MkdirTemp("", "wastecoach-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // passed through by PostgreSQL
		t.Fatal(err)
	}
	s := &stack{t: t, home: dir}
	t.Cleanup(func() {
		s.wcctl(environ, "dev", "stop")
		if err := os.RemoveAll(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	args := append([]string{
		"dev", "--detach", "--port", "0", "--s3-port", "0", "--openid-port", "0", "--yes",
	}, flags...)
	s.wcctl(environ, args...).ok()
	info, err := dev.Find(dev.Folder(filepath.Join(dir, "data")))
	if err != nil {
		t.Fatal(err)
	}
	s.Info = info
	return s
}

// ended is a program that has run.
type ended struct {
	t              *testing.T
	command        string
	Stdout, Stderr string
	Code           int
	Took           time.Duration
}

func (e ended) ok() ended {
	e.t.Helper()
	if e.Code != 0 {
		e.t.Fatalf("%s: exit code %d\n%s%s", e.command, e.Code, e.Stdout, e.Stderr)
	}
	return e
}

func (e ended) into(v any) {
	e.t.Helper()
	if err := json.Unmarshal([]byte(e.Stdout), v); err != nil {
		e.t.Fatalf("%s: %v in\n%s", e.command, err, e.Stdout)
	}
}

// wcctl runs a command as a user without a terminal and with an empty home.
func (s *stack) wcctl(environ []string, args ...string) ended {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary(s.t, "wcctl"), args...) //nolint:gosec // ours
	cmd.Env = append(os.Environ(), "HOME="+s.home, "XDG_CONFIG_HOME=", "NO_COLOR=1",
		"WCCTL_DEV_DIR="+filepath.Join(s.home, "data"))
	cmd.Env = append(cmd.Env, environ...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	e := ended{
		t: s.t, command: "wcctl " + strings.Join(args, " "), Took: time.Since(start),
		Stdout: stdout.String(), Stderr: stderr.String(), Code: cmd.ProcessState.ExitCode(),
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("%s: %v", e.command, err)
	}
	return e
}

// api is a client that is logged in through the real flow.
func (s *stack) api() *client.Client {
	s.t.Helper()
	anonymous, err := client.New(client.Options{BaseURL: s.URL})
	if err != nil {
		s.t.Fatal(err)
	}
	login := anonymous.StartLogin("dev", "http://127.0.0.1:1/login")
	tokens, err := anonymous.FollowLogin(s.t.Context(), login)
	if err != nil {
		s.t.Fatal(err)
	}
	return anonymous.WithTokens(client.NewSession(anonymous, &memory{tokens: tokens}))
}

// memory keeps tokens for one test.
type memory struct {
	mu     sync.Mutex
	tokens client.Tokens
}

func (m *memory) Update(
	_ context.Context, change func(client.Tokens) (client.Tokens, error),
) (client.Tokens, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	changed, err := change(m.tokens)
	if err == nil {
		m.tokens = changed
	}
	return changed, err
}

// database is the stack's PostgreSQL as its superuser.
func (s *stack) database() *pgxpool.Pool {
	s.t.Helper()
	pool, err := pgxpool.New(s.t.Context(), s.Postgres)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(pool.Close)
	return pool
}

func one[T any](t *testing.T, pool *pgxpool.Pool, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := pool.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// photos returns up to n of the real photos of a class, or skips the test and says why.
func photos(t *testing.T, set, class string, n int) []string {
	t.Helper()
	root := os.Getenv("WASTECOACH_PHOTOS")
	if root == "" {
		root = filepath.Join("..", "..", "shared", "photos")
	}
	found, err := filepath.Glob(filepath.Join(root, set, class, "*.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		t.Skipf("no photos in %s: set WASTECOACH_PHOTOS", root)
	}
	return found[:min(n, len(found))]
}

func (s *stack) String() string { return fmt.Sprintf("the stack at %s", s.URL) }
