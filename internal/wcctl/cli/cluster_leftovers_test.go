package cli

import (
	"os"
	"strings"
	"testing"
)

// A mount that everybody has stands for one that a machine left.
func TestTracesOfMachinesAreFound(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/mountinfo"); err != nil {
		t.Skip("only Linux tells its mounts like this")
	}
	for folder, want := range map[string]bool{"": true, t.TempDir(): false} {
		left := strings.Join(traces("no-such-cluster", folder), "\n")
		if got := strings.Contains(left, "mount /proc"); got != want {
			t.Errorf("folder %q: found %v:\n%s", folder, got, left)
		}
	}
}
