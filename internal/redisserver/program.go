package redisserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/wastecoach/wastecoach/internal/childproc"
)

const readyPoll = 5 * time.Millisecond

// program is the real redis-server.
type program struct {
	cfg  Config
	path string

	mu   sync.Mutex
	proc *childproc.Process
}

func choosePort(ctx context.Context, wish int) (int, error) { return childproc.Port(ctx, wish) }

func (p *program) start(ctx context.Context, port int) error {
	proc, err := childproc.Start(childproc.Config{
		// The configuration goes in by stdin: a password must not be in the process list.
		Path: p.path, Args: []string{"-"}, Stdin: p.configuration(port), Dir: p.cfg.Dir,
		Env:     []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"},
		LogPath: filepath.Join(p.cfg.Dir, "redis.log"), DeathSignal: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	p.set(proc)
	if err := p.awaitReady(ctx, proc, port); err != nil {
		return explain(errors.Join(err, proc.Stop(context.WithoutCancel(ctx), syscall.SIGKILL)))
	}
	return nil
}

func (p *program) configuration(port int) string {
	lines := []string{
		"bind 127.0.0.1", fmt.Sprintf("port %d", port), "dir " + quote(p.cfg.Dir), "daemonize no",
		"always-show-logo no", "maxmemory-policy noeviction", fmt.Sprintf("databases %d", p.cfg.Databases),
		// Snapshots are off: the append-only file alone is the data.
		`save ""`,
	}
	if p.cfg.Ephemeral {
		lines = append(lines, "appendonly no")
	} else {
		lines = append(lines, "appendonly yes", "appendfsync everysec")
	}
	if p.cfg.Password != "" {
		lines = append(lines, "requirepass "+quote(p.cfg.Password))
	}
	return strings.Join(lines, "\n") + "\n"
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// awaitReady polls until the data is loaded.
func (p *program) awaitReady(ctx context.Context, proc *childproc.Process, port int) error {
	client := redis.NewClient(&redis.Options{
		Addr: fmt.Sprintf("127.0.0.1:%d", port), Password: p.cfg.Password, MaxRetries: -1,
	})
	defer client.Close()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		err := client.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-proc.Done():
			if err := proc.Err(); err != nil {
				return err
			}
			return fmt.Errorf("it ended at once; its last lines:\n%s", proc.LogTail())
		case <-ctx.Done():
			return fmt.Errorf("it does not answer: %w; last try: %w; its last lines:\n%s",
				ctx.Err(), err, proc.LogTail())
		case <-tick.C:
		}
	}
}

func explain(err error) error {
	text := err.Error()
	for sign, hint := range map[string]string{
		"Address already in use":                  "the port is taken, choose another",
		"No space left on device":                 "the disk is full: make room, then start again",
		"Permission denied":                       "the folder is closed to this user",
		"Bad file format reading the append only": "the append-only file is damaged: redis-check-aof --fix",
	} {
		if strings.Contains(text, sign) {
			return fmt.Errorf("%s: %w", hint, err)
		}
	}
	return err
}

func (p *program) set(proc *childproc.Process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proc = proc
}

func (p *program) get() *childproc.Process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.proc
}

func (p *program) stop(ctx context.Context) error {
	if err := p.get().Stop(ctx, syscall.SIGTERM); err == nil {
		return nil
	}
	p.cfg.Logger.Warn("redis does not stop, forcing it", "pid", p.pid())
	return p.kill()
}

func (p *program) kill() error {
	return p.get().Stop(context.Background(), syscall.SIGKILL)
}

func (p *program) done() <-chan struct{} { return p.get().Done() }
func (p *program) err() error            { return p.get().Err() }
func (p *program) pid() int              { return p.get().PID() }
