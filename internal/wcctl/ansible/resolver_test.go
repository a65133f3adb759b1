package ansible_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPodsInheritNoResolverOfTheirOwnMachine runs the role's script on files of the test's.
func TestPodsInheritNoResolverOfTheirOwnMachine(t *testing.T) {
	t.Parallel()
	script, err := os.ReadFile("../../../infra/ansible/roles/packages/files/resolver.sh")
	if err != nil {
		t.Fatal(err)
	}
	const stub, outside = "nameserver 127.0.0.53\n", "nameserver 10.0.0.2\nsearch example.org\n"
	for _, c := range []struct{ name, resolved, etc, want, fault string }{
		{"systemd-resolved", outside, stub, outside, ""},
		{"no resolved", "", outside, outside, ""},
		{"a local cache before others", "", stub + "nameserver ::1\n" + outside, outside, ""},
		{"nobody but itself", "", stub, "", "DNS loop"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			resolved, etc := filepath.Join(dir, "resolved"), filepath.Join(dir, "etc")
			link := filepath.Join(dir, "w", "link")
			for path, text := range map[string]string{resolved: c.resolved, etc: c.etc} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			run := func() (string, error) {
				text := strings.NewReplacer("/run/systemd/resolve/resolv.conf", resolved, " /etc/resolv.conf; do",
					" "+etc+"; do").Replace(string(script))
				cmd := exec.CommandContext(t.Context(), "sh", "-c", text)
				cmd.Env = append(os.Environ(), "LINK="+link)
				out, err := cmd.Output()
				return string(out), err
			}
			first, err := run()
			if c.fault != "" {
				var exit *exec.ExitError
				if !errors.As(err, &exit) || !strings.Contains(string(exit.Stderr), c.fault) {
					t.Errorf("got %v", err)
				}
				return
			}
			got, readErr := os.ReadFile(link)
			if err != nil || readErr != nil || string(got) != c.want || first == "" {
				t.Errorf("%q, %v, %v; it says %q", got, err, readErr, first)
			}
			if second, err := run(); err != nil || second != "" {
				t.Errorf("the second run changes something: %q, %v", second, err)
			}
		})
	}
}
