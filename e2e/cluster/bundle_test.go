//go:build e2e

package cluster

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

// bundleBuilt makes the bundle once for all tests: cold, it takes most of the time.
var bundleBuilt struct {
	sync.Once
	dir  string
	took time.Duration
	err  error
	log  string
}

// testBundle is a bundle with what the tests need. WCCTL_E2E_BUNDLE names one that is there.
func testBundle(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("WCCTL_E2E_BUNDLE"); dir != "" {
		return dir
	}
	b := &bundleBuilt
	b.Do(func() {
		b.dir = bundleFolder("bundle-e2e")
		start := time.Now()
		b.log, b.err = inCheckout(t, "bundle", "create", b.dir, "--with-tests")
		b.took = time.Since(start)
	})
	if b.err != nil {
		t.Fatalf("wcctl bundle create: %v\n%s", b.err, tail(b.log))
	}
	t.Logf("bundle: %s, made in %s", b.dir, b.took.Round(time.Second))
	return b.dir
}

// bundleFolder is where a bundle of the tests is kept between their runs.
func bundleFolder(name string) string {
	cache := os.Getenv("WCCTL_CACHE_DIR")
	if cache == "" {
		cache = "/var/cache/wastecoach"
	}
	return filepath.Join(cache, name)
}

// inCheckout runs wcctl where it finds the sources, and returns what it said. Another test may need what
// it makes, so it outlives this one.
func inCheckout(t *testing.T, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), wcctlPath(t), args...)
	cmd.Dir = filepath.Join("..", "..")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// lock is what the lab's bundle says it holds.
func (l *lab) lock() bundle.Lock {
	l.t.Helper()
	data, err := os.ReadFile(filepath.Join(l.bundle, bundle.LockName))
	if err != nil {
		l.t.Fatal(err)
	}
	var lock bundle.Lock
	if err := json.Unmarshal(data, &lock); err != nil {
		l.t.Fatal(err)
	}
	return lock
}

// image is the reference of the bundle's image with that in its name.
func (l *lab) image(name string) string {
	l.t.Helper()
	for _, image := range l.lock().Images {
		if strings.Contains(image.Ref, name+":") {
			return image.Ref
		}
	}
	l.t.Fatalf("the bundle has no image %s", name)
	return ""
}

// file is the path of a file of the bundle's, e.g. kubectl.
func (l *lab) file(name string) string {
	l.t.Helper()
	path := filepath.Join(l.bundle, "files", name)
	if _, err := os.Stat(path); err != nil {
		l.t.Fatalf("the bundle has no file %s: %v", name, err)
	}
	return path
}
