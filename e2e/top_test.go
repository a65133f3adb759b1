//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// load keeps so many jobs of unknown photos running until the test ends.
func (s *stack) load(jobs int) {
	s.t.Helper()
	cmd := exec.Command(binary(s.t, "wcctl"), "bench", "poll", "--jobs", strconv.Itoa(jobs),
		"--clients", "1", "--duration", "9m")
	cmd.Env = append(os.Environ(), "HOME="+s.home, "WCCTL_DEV_DIR="+filepath.Join(s.home, "data"))
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
}

// keep writes a screen to the folder TOP_SCREENS, for people to look at.
func (w *window) keep(name string) {
	if dir := os.Getenv("TOP_SCREENS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".txt"), []byte(w.screen()), 0o600); err != nil {
			w.t.Error(err)
		}
	}
}

const soon = 10 * time.Second

// TestTop drives the real binary in a terminal, against the whole system under load.
func TestTop(t *testing.T) {
	s := startStack(t, nil, "--vision", "simulator", "--model-latency", "800ms")
	s.load(6)
	w := s.openWindow(80, 24, "top")
	w.shows("● live", soon)

	t.Run("jobs", func(t *testing.T) {
		w.t = t
		w.press("2")
		w.shows("vision", soon)
		w.press("Enter")
		w.shows("Steps", soon)
		w.keep("detail_80x24")
		w.press("Escape")
		w.shows("PROGRESS", soon) // a key right after Escape would be one with Alt
		w.press("/")
		w.press("zzzz", "Enter")
		w.shows("No job is like that", soon)
		w.press("Escape")
		w.shows("vision", soon)
	})
	t.Run("every view in every size", func(t *testing.T) {
		w.t = t
		for _, size := range [][2]int{{160, 50}, {80, 24}, {40, 10}} {
			w.resize(size[0], size[1])
			for view, name := range []string{
				"Overview", "Jobs", "Queues", "Workers", "Services", "Cluster", "Events",
			} {
				w.press(strconv.Itoa(view + 1))
				w.shows(fmt.Sprintf("%d %s", view+1, name), soon)
				w.shows("● live", soon)
				w.keep(fmt.Sprintf("%s_%dx%d", strings.ToLower(name), size[0], size[1]))
			}
		}
		w.resize(30, 8)
		w.shows("needs 40×10", soon)
		w.resize(80, 24)
		w.shows("● live", soon)
	})
	t.Run("a queue is paused and resumed", func(t *testing.T) {
		w.t = t
		w.press("3", "P")
		w.shows("Pause the queue", soon)
		w.press("y")
		w.shows("paused the queue", soon)
		w.press("P")
		w.shows("Resume the queue", soon)
		w.press("y")
		w.shows("resumed the queue", soon)
	})
	t.Run("Redis hangs", func(t *testing.T) {
		w.t = t
		w.press("3")
		redis := s.child("redis")
		s.signal(redis, syscall.SIGSTOP)
		w.until("an age", soon, func(screen string) bool { return strings.Contains(screen, "stale") })
		w.shows("waste", time.Second) // the last picture stays
		w.keep("redis_hangs_80x24")
		s.signal(redis, syscall.SIGCONT)
		t.Logf("live again %s after Redis", w.hides("stale", 3*soon))
	})
	t.Run("Redis is killed and comes back", func(t *testing.T) {
		w.t = t
		s.signal(s.child("redis"), syscall.SIGKILL)
		start, told := time.Now(), time.Duration(0)
		w.until("a live picture, after the stack has started Redis again", 3*soon, func(screen string) bool {
			if told == 0 && (strings.Contains(screen, "stale") || strings.Contains(screen, "Queues!")) {
				told = time.Since(start)
			}
			return time.Since(start) > 3*time.Second && strings.Contains(screen, "● live")
		})
		// The stack may have it back before a look fails; "Redis hangs" shows that top tells.
		t.Logf("told after %s, live again after %s", told, time.Since(start))
		if !runs(w.pid) {
			t.Error("the view has ended")
		}
	})
	t.Run("q ends it", func(t *testing.T) {
		w.t = t
		w.press("q")
		if code := w.exitCode(soon); code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
}

func (s *stack) child(name string) int {
	s.t.Helper()
	pid, ok := s.Children[name]
	if !ok {
		s.t.Fatalf("no child %s in %v", name, s.Children)
	}
	return pid
}

func (s *stack) signal(pid int, sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		s.t.Fatal(err)
	}
}

// TestTopEndsWithItsTerminal: it leaves no process, and no terminal in a state that needs a reset.
func TestTopEndsWithItsTerminal(t *testing.T) {
	s := startStack(t, nil, "--vision", "simulator", "--model-latency", "0s")
	ended := func(t *testing.T, w *window) {
		t.Helper()
		start := time.Now()
		tick := time.NewTicker(look)
		defer tick.Stop()
		for ; runs(w.pid); <-tick.C {
			if time.Since(start) > soon {
				t.Fatalf("process %d is left", w.pid)
			}
		}
		t.Logf("ended after %s", time.Since(start))
	}
	t.Run("terminal closed", func(t *testing.T) {
		w := s.openWindow(80, 24, "top")
		w.shows("● live", soon)
		w.tmux("kill-server")
		ended(t, w)
	})
	for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			w := s.openWindow(80, 24, "top")
			w.shows("● live", soon)
			s.signal(w.pid, sig)
			if code := w.exitCode(soon); code != 0 {
				t.Errorf("exit code %d", code)
			}
			if screen := w.screen(); strings.Contains(screen, "● live") {
				t.Errorf("the terminal is left as\n%s", screen)
			}
		})
	}
}

// seen is when a job's progress was on the screen first.
type seen map[string]map[int]time.Time

func (s seen) note(id string, progress int, at time.Time) {
	if s[id] == nil {
		s[id] = map[int]time.Time{}
	}
	if _, known := s[id][progress]; !known {
		s[id][progress] = at
	}
}

var jobRow = regexp.MustCompile(`([0-9a-f]{8}-[0-9a-f]{4}) .* (\d+)%`)

// watchJobs opens the jobs of a stack under load.
func watchJobs(t *testing.T) (*stack, *window) {
	t.Helper()
	s := startStack(t, nil, "--vision", "simulator", "--model-latency", "800ms")
	s.load(6)
	w := s.openWindow(160, 50, "top")
	w.shows("● live", soon)
	w.press("2")
	w.shows("vision", soon)
	return s, w
}

// TestProgressToPixels: from a job's progress write to the terminal's cells, 0.6 s at p99.
func TestProgressToPixels(t *testing.T) {
	s, w := watchJobs(t)

	const long = 30 * time.Second
	ctx, stop := context.WithTimeout(t.Context(), long)
	defer stop()
	written, pixels := seen{}, seen{}
	var both sync.WaitGroup
	db, v := s.database(), w.watch()
	both.Go(func() { watchWrites(ctx, db, written) })
	both.Go(func() {
		for ctx.Err() == nil {
			screen, at := v.screen(), time.Now()
			for _, m := range jobRow.FindAllStringSubmatch(screen, -1) {
				progress, _ := strconv.Atoi(m[2])
				pixels.note(m[1], progress, at)
			}
		}
	})
	both.Wait()

	late := lateness(written, pixels, time.Now().Add(-time.Second))
	if len(late) < 100 {
		t.Fatalf("only %d writes were seen", len(late))
	}
	slices.Sort(late)
	p99 := late[len(late)*99/100]
	t.Logf("%d writes: p50 %s, p95 %s, p99 %s, max %s", len(late),
		late[len(late)/2], late[len(late)*95/100], p99, late[len(late)-1])
	if p99 > 600*time.Millisecond {
		t.Errorf("p99 %s", p99)
	}
}

// watchWrites notes when each progress was written, by the database's word.
func watchWrites(ctx context.Context, db *pgxpool.Pool, written seen) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; ctx.Err() == nil; <-tick.C {
		rows, err := db.Query(ctx, `SELECT left(id::text, 13), progress, updated_at FROM waste.analyses
			WHERE updated_at > now() - interval '2 seconds'`)
		if err != nil {
			return // ctx is over
		}
		for rows.Next() {
			var id string
			var progress int
			var at time.Time
			if err := rows.Scan(&id, &progress, &at); err != nil {
				break
			}
			written.note(id, progress, at)
		}
		rows.Close()
	}
}

// lateness is how long after each write the screen had caught up with it. What was written after
// until may not have had the time, and what was overtaken is on the screen as what overtook it.
func lateness(written, pixels seen, until time.Time) []time.Duration {
	var late []time.Duration
	for id, writes := range written {
		for progress, at := range writes {
			if at.After(until) || pixels[id] == nil {
				continue
			}
			var shown time.Time
			for p, t := range pixels[id] {
				if p >= progress && (shown.IsZero() || t.Before(shown)) {
					shown = t
				}
			}
			if shown.After(at) { // else it is what another attempt had reached
				late = append(late, shown.Sub(at))
			}
		}
	}
	return late
}

// TestTopIsCheap: what the view costs while it is watched, and while nobody looks.
func TestTopIsCheap(t *testing.T) {
	s, w := watchJobs(t)
	const long = 10 * time.Second
	busy := s.share(w.pid, long)
	t.Logf("watched: %.2f %% of a core", 100*busy)
	w.press("-H", "1b", "5b", "4f") // the terminal's word for: the focus is elsewhere
	w.shows("paused", soon)
	idle := s.share(w.pid, long)
	t.Logf("without focus: %.2f %% of a core", 100*idle)
	if busy > 0.05 || idle > 0.01 {
		t.Errorf("it takes %.3f of a core watched, %.3f without focus", busy, idle)
	}
}

// share is the part of a core that a process takes over some time.
func (s *stack) share(pid int, over time.Duration) float64 {
	s.t.Helper()
	before := s.cpu(pid)
	timer := time.NewTimer(over)
	<-timer.C
	return (s.cpu(pid) - before).Seconds() / over.Seconds()
}

func (s *stack) cpu(pid int) time.Duration {
	s.t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	const utime, stime, hertz = 11, 12, 100
	ticks := 0
	for _, i := range []int{utime, stime} {
		n, err := strconv.Atoi(fields[i])
		if err != nil {
			s.t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / hertz
}
