package terraform_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
)

// bundle is one prepared folder and what its commands told.
type bundle struct {
	t    *testing.T
	dir  string
	log  *safeBuffer
	mu   sync.Mutex
	seen []event.Event
}

func setup(t *testing.T, module string, variables map[string]any) *bundle {
	t.Helper()
	b := &bundle{t: t, dir: filepath.Join(t.TempDir(), "terraform"), log: &safeBuffer{}}
	b.prepare(module, variables)
	return b
}

func (b *bundle) prepare(module string, variables map[string]any) {
	b.t.Helper()
	files := fstest.MapFS{"main.tf": {Data: []byte(module)}}
	if err := terraform.Prepare(b.dir, files, variables, nil); err != nil {
		b.t.Fatal(err)
	}
}

// client is a new one, as each use has.
func (b *bundle) client(change ...func(*terraform.Options)) *terraform.Client {
	b.t.Helper()
	o := terraform.Options{Dir: b.dir, Log: b.log, Phase: "machines"}
	for _, f := range change {
		f(&o)
	}
	c, err := terraform.New(o)
	if err != nil {
		b.t.Fatalf("these tests run the real terraform: %v", err)
	}
	return c
}

func (b *bundle) Emit(e event.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seen = append(b.seen, e)
}

// await returns the first event that f accepts.
func (b *bundle) await(f func(event.Event) bool) event.Event {
	b.t.Helper()
	var found event.Event
	until(b.t, b.log, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		i := slices.IndexFunc(b.seen, f)
		if i >= 0 {
			found = b.seen[i]
		}
		return i >= 0
	})
	return found
}

func (b *bundle) plan(ctx context.Context) []terraform.Change {
	b.t.Helper()
	changes, err := b.client().Plan(ctx, b)
	if err != nil {
		b.t.Fatal(err)
	}
	return changes
}

func (b *bundle) apply(ctx context.Context) {
	b.t.Helper()
	if err := b.client().Apply(ctx, b); err != nil {
		b.t.Fatalf("%v\n%s", err, b.log)
	}
}

// plans are the saved plans' files.
func (b *bundle) plans() []string {
	b.t.Helper()
	names, err := filepath.Glob(filepath.Join(b.dir, "*.tfplan"))
	if err != nil {
		b.t.Fatal(err)
	}
	return names
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// marks are the lines that the module's provisioners have written.
func (b *bundle) marks() string {
	marks, err := os.ReadFile(filepath.Join(b.dir, "marks"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		b.t.Fatal(err)
	}
	return string(marks)
}

// asError requires an Error whose text holds words.
func asError(t *testing.T, err error, words string) *terraform.Error {
	t.Helper()
	var e *terraform.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no *terraform.Error", err)
	}
	if !strings.Contains(err.Error(), words) {
		t.Errorf("error %q does not say %q", err, words)
	}
	return e
}

// safeBuffer is written by terraform-exec's two readers.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
