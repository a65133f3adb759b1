package bundle_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

const wasteRef = "wastecoach.io/waste:1.0.0"

// newImage is an image of random bytes for an architecture.
func newImage(t *testing.T, architecture string) bundle.NewImage {
	t.Helper()
	img, err := random.Image(1<<10, 2)
	if err != nil {
		t.Fatal(err)
	}
	img = mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", architecture
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return bundle.NewImage{Ref: wasteRef, Component: "waste", Version: "1.0.0", Image: img}
}

func TestAnImageIsAddedOnce(t *testing.T) {
	t.Parallel()
	made := setup(t).create(t)
	first := newImage(t, runtime.GOARCH)
	for i, want := range []bool{true, false} {
		changed, err := bundle.Add(t.Context(), made.Dir(), []bundle.NewImage{first})
		if err != nil || changed != want {
			t.Fatalf("time %d: changed %t, %v", i, changed, err)
		}
	}
	files := checkAdded(t, made.Dir(), first.Image)
	second := newImage(t, runtime.GOARCH)
	if changed, err := bundle.Add(t.Context(), made.Dir(), []bundle.NewImage{second}); err != nil || !changed {
		t.Fatalf("another image of that name: changed %t, %v", changed, err)
	}
	// The first one's parts are gone.
	if again := checkAdded(t, made.Dir(), second.Image); again != files {
		t.Errorf("the bundle has %d files, with the first one %d", again, files)
	}
}

// checkAdded returns how many files the bundle has.
func checkAdded(t *testing.T, dir string, img v1.Image) int {
	t.Helper()
	b, err := bundle.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Verify(t.Context()); err != nil {
		t.Error(err)
	}
	lock := b.Lock()
	for _, ref := range []string{helloRef, wasteRef} {
		if !b.HasImage(ref) {
			t.Errorf("%s is not in the lock", ref)
		}
	}
	if n := len(lock.Components); n != 2 || lock.Components[1].Version != "1.0.0" {
		t.Errorf("the components are %v", lock.Components)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	recorder := httptest.NewRecorder()
	b.Handler().ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet,
		"/v2/waste/manifests/1.0.0?ns=wastecoach.io", http.NoBody))
	if got := recorder.Header().Get("Docker-Content-Digest"); got != digest.String() {
		t.Errorf("machines get %q (%d), want %s", got, recorder.Code, digest)
	}
	return len(lock.Files)
}

func TestAKilledRunLeavesTheBundleValid(t *testing.T) {
	t.Parallel()
	made := setup(t).create(t)
	before, err := os.ReadFile(filepath.Join(made.Dir(), bundle.LockName))
	if err != nil {
		t.Fatal(err)
	}
	// What a run leaves that was killed before the exchange.
	left := filepath.Join(filepath.Dir(made.Dir()), ".bundle.partial", "images", "blobs", "sha256", "torn")
	write(t, left, "half")
	if err := made.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(filepath.Join(made.Dir(), bundle.LockName)); err != nil ||
		!slices.Equal(before, after) {
		t.Fatalf("the lock has changed, %v", err)
	}
	added := newImage(t, runtime.GOARCH)
	if _, err := bundle.Add(t.Context(), made.Dir(), []bundle.NewImage{added}); err != nil {
		t.Fatal(err)
	}
	checkAdded(t, made.Dir(), added.Image)
	if _, err := os.Stat(filepath.Dir(left)); !os.IsNotExist(err) {
		t.Errorf("what the killed run left is still there: %v", err)
	}
}

func TestAnImageOfAnotherArchitectureIsRefused(t *testing.T) {
	t.Parallel()
	made := setup(t).create(t)
	if _, err := bundle.Add(t.Context(), made.Dir(), []bundle.NewImage{newImage(t, "riscv64")}); err == nil {
		t.Error("an image that cannot run was added")
	}
	if err := made.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
