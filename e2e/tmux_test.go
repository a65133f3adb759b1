//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// window is a terminal of tmux in which a program runs.
type window struct {
	t      *testing.T
	socket string
	pid    int
}

// tmuxSettings make keys immediate. With focus-events a window that nobody watches would rest.
const tmuxSettings = `set -g status off
set -g escape-time 0
set -g remain-on-exit on
set -g default-terminal tmux-256color
`

// openWindow runs wcctl in a terminal of its own.
func (s *stack) openWindow(width, height int, args ...string) *window {
	s.t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		s.t.Fatal("tmux is missing: make setup")
	}
	dir := s.t.TempDir()
	settings := filepath.Join(dir, "tmux.conf")
	if err := os.WriteFile(settings, []byte(tmuxSettings), 0o600); err != nil {
		s.t.Fatal(err)
	}
	w := &window{t: s.t, socket: filepath.Join(dir, "tmux")}
	command := []string{
		"-f", settings, "new-session", "-d", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height),
		"env", "HOME=" + s.home, "WCCTL_DEV_DIR=" + filepath.Join(s.home, "data"), "LC_ALL=C.UTF-8",
		binary(s.t, "wcctl"),
	}
	w.tmux(append(command, args...)...)
	w.tmux("set-option", "-g", "window-size", "manual") // in the settings it ends tmux 3.3
	s.t.Cleanup(func() { _ = exec.Command("tmux", "-S", w.socket, "kill-server").Run() })
	pid, err := strconv.Atoi(strings.TrimSpace(w.tmux("display-message", "-p", "#{pane_pid}")))
	if err != nil {
		s.t.Fatal(err)
	}
	w.pid = pid
	return w
}

func (w *window) tmux(args ...string) string {
	w.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-u", "-S", w.socket}, args...)...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("tmux %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// press sends keys by tmux's names.
func (w *window) press(keys ...string) { w.tmux(append([]string{"send-keys"}, keys...)...) }

func (w *window) resize(width, height int) {
	w.tmux("resize-window", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height))
}

func (w *window) screen() string { return w.tmux("capture-pane", "-p") }

const look = 50 * time.Millisecond

// until waits for a screen that fits, and says how long that took.
func (w *window) until(what string, within time.Duration, fits func(screen string) bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		screen := w.screen()
		if fits(screen) {
			return time.Since(start)
		}
		if time.Since(start) > within {
			w.t.Fatalf("%s: not within %s; the screen is\n%s", what, within, screen)
		}
		<-tick.C
	}
}

func (w *window) shows(text string, within time.Duration) time.Duration {
	w.t.Helper()
	return w.until(fmt.Sprintf("%q", text), within, func(screen string) bool {
		return strings.Contains(screen, text)
	})
}

func (w *window) hides(text string, within time.Duration) time.Duration {
	w.t.Helper()
	return w.until("no "+text, within, func(screen string) bool { return !strings.Contains(screen, text) })
}

// exitCode waits for the program's end.
func (w *window) exitCode(within time.Duration) int {
	w.t.Helper()
	var code int
	w.until("the program's end", within, func(string) bool {
		dead, status, _ := strings.Cut(strings.TrimSpace(
			w.tmux("display-message", "-p", "#{pane_dead} #{pane_dead_status}")), " ")
		code, _ = strconv.Atoi(status)
		return dead == "1"
	})
	return code
}

// watch is a client of tmux that looks at the screen without a process for each look.
type watch struct {
	in  io.WriteCloser
	out *bufio.Scanner
	cmd *exec.Cmd
}

func (w *window) watch() *watch {
	w.t.Helper()
	cmd := exec.Command("tmux", "-u", "-S", w.socket, "-C", "attach")
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	v := &watch{in, bufio.NewScanner(out), cmd}
	v.answer() // to attach itself
	return v
}

// screen is the screen of now.
func (v *watch) screen() string {
	fmt.Fprintln(v.in, "capture-pane -p")
	return v.answer()
}

// answer is what comes between %begin and %end; the program's own output comes around it.
func (v *watch) answer() string {
	var b bytes.Buffer
	inside := false
	for v.out.Scan() {
		line := v.out.Text()
		switch {
		case strings.HasPrefix(line, "%begin "):
			inside = true
		case strings.HasPrefix(line, "%end "), strings.HasPrefix(line, "%error "):
			return b.String()
		case inside:
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
