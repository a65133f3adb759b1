package cli_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/wastecoach/wastecoach/internal/migrate"
	"github.com/wastecoach/wastecoach/internal/wcctl/dev"
	"github.com/wastecoach/wastecoach/services/auth"
	"github.com/wastecoach/wastecoach/services/waste"
)

// devStack is `wcctl dev` on a folder of its own.
type devStack struct {
	t    *testing.T
	data string
}

func newDevStack(t *testing.T) *devStack {
	t.Helper()
	// Not t.TempDir: as root, PostgreSQL runs as another user, who must pass through.
	dir, err := os.MkdirTemp("", "wcctl-dev-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	s := &devStack{t: t, data: filepath.Join(dir, "data")}
	t.Cleanup(func() {
		_, _, _ = s.run("dev", "stop", "--force")
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *devStack) run(args ...string) (stdout, stderr string, code int) {
	s.t.Helper()
	var out, err bytes.Buffer
	cmd := exec.Command("wcctl", args...)
	cmd.Env = append(os.Environ(), "WCCTL_DEV_DIR="+s.data)
	cmd.Stdout, cmd.Stderr = &out, &err
	var exit *exec.ExitError
	if failed := cmd.Run(); failed != nil && !errors.As(failed, &exit) {
		s.t.Fatal(failed)
	}
	return out.String(), err.String(), cmd.ProcessState.ExitCode()
}

func (s *devStack) must(args ...string) string {
	s.t.Helper()
	stdout, stderr, code := s.run(args...)
	if code != 0 {
		s.t.Fatalf("wcctl %q: exit code %d\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// start returns the summary.
func (s *devStack) start() string {
	s.t.Helper()
	return s.must("dev", "--detach", "--port", "0", "--s3-port", "0", "--openid-port", "0",
		"--vision", "simulator", "--model-latency", "10ms", "--replicas", "waste=2,waste-worker=2", "--grace", "2s")
}

// stop checks that no process is left.
func (s *devStack) stop() {
	s.t.Helper()
	info, err := dev.Find(dev.Folder(s.data))
	if err != nil {
		s.t.Fatal(err)
	}
	s.must("dev", "stop")
	for name, pid := range info.Children {
		if syscall.Kill(pid, 0) == nil {
			s.t.Errorf("%s, process %d, is still there", name, pid)
		}
	}
}

// paste runs the session of the summary with bash and returns the job that it ends with.
func (s *devStack) paste(summary string) (job struct {
	Status string
	Result struct{ Cached bool }
},
) {
	s.t.Helper()
	_, session, found := strings.Cut(summary, "paste it where photo.jpg is:\n")
	session, _, ended := strings.Cut(session, "\nStop it with")
	if !found || !ended {
		s.t.Fatalf("no session in the summary:\n%s", summary)
	}
	dir := s.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "photo.jpg"), colored(s.t), 0o600); err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.CommandContext(s.t.Context(), "bash", "-c", session)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("the session failed: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &job); err != nil {
		s.t.Fatalf("the session ended with no job: %v\n%s", err, out)
	}
	return job
}

func colored(t *testing.T) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 320, 240))
	for y := range 240 {
		for x := range 320 {
			img.Set(x, y, color.RGBA{uint8(x), uint8(y), uint8(x ^ y), 255})
		}
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestDevRunsTheWholeSystem(t *testing.T) {
	t.Parallel()
	s := newDevStack(t)
	summary := s.start()
	if job := s.paste(summary); job.Status != "succeeded" || job.Result.Cached {
		t.Errorf("the first photo: %+v", job)
	}
	t.Run("status", s.testStatus)
	t.Run("typescript", s.testTypeScript)
	t.Run("second", s.testSecond)
	t.Run("env", s.testEnv)
	t.Run("migrate", s.testMigrate)
	t.Run("logs", s.testLogs)
	t.Run("rotate keys", s.testRotateKeys)
	s.stop()
	if _, _, code := s.run("dev", "status"); code != 1 {
		t.Errorf("status after the stop: exit code %d", code)
	}
	if job := s.paste(s.start()); job.Status != "succeeded" || !job.Result.Cached {
		t.Errorf("the same photo after a restart: %+v", job)
	}
	s.stop()
	if _, stderr, code := s.run("dev", "--reset"); code != 2 || !strings.Contains(stderr, "--reset --yes") {
		t.Errorf("a reset that nobody confirmed: %d %s", code, stderr)
	}
}

func (s *devStack) testStatus(t *testing.T) {
	var status struct {
		Running bool
		Parts   []dev.Part
	}
	if err := json.Unmarshal([]byte(s.must("dev", "status", "-o", "json")), &status); err != nil {
		t.Fatal(err)
	}
	if !status.Running || len(status.Parts) != 12 {
		t.Errorf("got %+v", status)
	}
	for _, p := range status.Parts {
		if !p.Ready {
			t.Errorf("%s is not ready: %s", p.Name, p.Why)
		}
	}
}

func (s *devStack) testSecond(t *testing.T) {
	info, err := dev.Find(dev.Folder(s.data))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"dev"}, {"dev", "--detach"}} {
		_, stderr, code := s.run(args...)
		if code != 1 || !strings.Contains(stderr, fmt.Sprintf("process %d since", info.PID)) ||
			!strings.Contains(stderr, info.URL) || !strings.Contains(stderr, "try: wcctl dev stop") {
			t.Errorf("%q: %d %s", args, code, stderr)
		}
	}
}

func (s *devStack) testEnv(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(s.must("dev", "env", "waste")), "\n")
	cfg, err := waste.LoadConfig(lines)
	if err != nil || cfg.HTTP.Addr != "127.0.0.1:0" || cfg.S3.Bucket == "" {
		t.Errorf("%q: %+v, %v", lines, cfg, err)
	}
	if _, _, code := s.run("dev", "env", "wste"); code != 2 {
		t.Errorf("an unknown service: exit code %d", code)
	}
}

func (s *devStack) testMigrate(t *testing.T) {
	statuses := func(args ...string) []migrate.Status {
		var all []migrate.Status
		if err := json.Unmarshal([]byte(s.must(append(args, "-o", "json")...)), &all); err != nil {
			t.Fatal(err)
		}
		return all
	}
	for _, status := range statuses("migrate", "status") {
		if status.Version == 0 || len(status.Pending) != 0 {
			t.Errorf("%+v", status)
		}
	}
	_, stderr, code := s.run("migrate", "down", "--schema", "users")
	if code != 2 || !strings.Contains(stderr, "migrate down --schema users --yes") {
		t.Errorf("a down that nobody confirmed: %d %s", code, stderr)
	}
	latest := statuses("migrate", "status", "--schema", "users")[0].Latest
	down := statuses("migrate", "down", "--schema", "users", "--yes")
	if down[0].Latest != latest || len(down[0].Pending) != 1 {
		t.Errorf("down: %+v", down)
	}
	if up := statuses("migrate", "up"); !slices.ContainsFunc(up, func(s migrate.Status) bool {
		return s.Schema == "users" && s.Version == latest
	}) {
		t.Errorf("up: %+v", up)
	}
	for _, args := range [][]string{
		{"migrate", "down"},
		{"migrate", "repair", "--schema", "waste", "--version", "1"},
		{"migrate", "create", "nowhere", "x"},
	} {
		if _, _, code := s.run(args...); code != 2 {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

// testRotateKeys rotates by what the stack knows; by DSN it gets as far as the refusals.
func (s *devStack) testRotateKeys(t *testing.T) {
	info, err := dev.Find(dev.Folder(s.data))
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := auth.LoadConfig(info.Environ["auth"])
	if err != nil {
		t.Fatal(err)
	}
	right, wrong := filepath.Join(t.TempDir(), "right"), filepath.Join(t.TempDir(), "wrong")
	for path, key := range map[string]string{
		right: cfg.MasterKey.Reveal() + "\n", wrong: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
	} {
		if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	byDSN := []string{"auth", "rotate-keys", "--dsn", info.Migrator, "--master-key-file"}
	refused := func(file, why string) {
		t.Helper()
		_, stderr, code := s.run(append(byDSN, file)...)
		if code != 1 || !strings.Contains(stderr, why) {
			t.Errorf("%d %s, want %q", code, stderr, why)
		}
	}
	refused(wrong, "not the one that sealed the keys")
	var rotation auth.Rotation
	if err := json.Unmarshal([]byte(s.must("auth", "rotate-keys", "-o", "json")), &rotation); err != nil {
		t.Fatal(err)
	}
	if rotation.KeyID == "" || len(rotation.Retiring) != 1 || !rotation.RetiredAt.After(rotation.SignsFrom) {
		t.Errorf("rotation %+v", rotation)
	}
	refused(right, rotation.KeyID+" signs from ")
}

func (s *devStack) testLogs(t *testing.T) {
	for service, want := range map[string]string{
		"waste": `"service":"waste"`, "waste-worker-1": `"part":"waste-worker-1"`,
		"postgresql": "ready to accept connections",
	} {
		if got := s.must("dev", "logs", "-o", "json", "--service", service); !strings.Contains(got, want) {
			t.Errorf("%s: no %s in:\n%s", service, want, got)
		}
	}
	if _, _, code := s.run("dev", "logs", "--service", "wste"); code != 2 {
		t.Errorf("an unknown service: exit code %d", code)
	}
}
