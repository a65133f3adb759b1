package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"github.com/wastecoach/wastecoach/internal/wcctl/event"
)

// Options is how a bundle is made.
type Options struct {
	Recipe Recipe
	// Source holds one nested Go module per component: infra/bundle of a checkout.
	Source string
	// Output is the bundle's folder; a bundle that is there is replaced.
	Output string
	// Cache keeps what was built.
	Cache string
	// Extra maps names below files/ to files that the bundle shall hold too.
	Extra map[string]string
	// Refresh downloads the Debian packages again.
	Refresh bool
	// Parallel is how many steps run at once.
	Parallel int
	Sink     event.Sink
}

// maker is one run of Create.
type maker struct {
	Options
	store     store
	goVersion string

	mu sync.Mutex
	// programs, userlands and images are results by component, name and reference.
	programs, userlands, images map[string]result
	// packed are archives and files taken out of modules, by the file's name.
	packed      map[string]result
	packages    result
	done, total int
}

// maxRepairs bounds the results that one run makes again because they are damaged.
const maxRepairs = 8

// lockPoll is how often a second run looks whether the first has ended.
const lockPoll = 500 * time.Millisecond

// Create makes a bundle. What was made before is taken from the cache; an interrupted run goes on
// with the step at which it was. The bundle appears whole or not at all.
func Create(ctx context.Context, o Options) (*Bundle, error) {
	if err := os.MkdirAll(o.Cache, folderMode); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	m := &maker{
		Options: o, store: store{dir: o.Cache},
		programs: map[string]result{}, userlands: map[string]result{},
		images: map[string]result{}, packed: map[string]result{},
	}
	unlock, err := m.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if m.goVersion, err = goVersion(ctx); err != nil {
		return nil, err
	}
	err = m.make(ctx)
	for try := 0; errors.Is(err, errDamaged) && try < maxRepairs; try++ {
		m.emit(event.Event{Kind: event.Warning, Text: err.Error() + "; making it again"})
		err = m.make(ctx)
	}
	if err != nil {
		return nil, err
	}
	return Open(o.Output)
}

// lock keeps others out of the cache: they would only build the same.
func (m *maker) lock(ctx context.Context) (unlock func(), err error) {
	lock := flock.New(filepath.Join(m.Cache, "lock"))
	locked, err := lock.TryLock()
	if err == nil && !locked {
		m.emit(event.Event{Kind: event.Note, Text: "waiting for another wcctl that uses " + m.Cache})
		_, err = lock.TryLockContext(ctx, lockPoll)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the cache %s: %w", m.Cache, err)
	}
	return func() { _ = lock.Close() }, nil
}

func (m *maker) make(ctx context.Context) error {
	if err := m.store.sweep(); err != nil {
		return err
	}
	if err := m.makeParts(ctx); err != nil {
		return err
	}
	return m.assemble(ctx)
}

// makeParts runs the steps: what programs need nothing for comes first.
func (m *maker) makeParts(ctx context.Context) error {
	first, second := m.steps()
	m.done, m.total = 0, len(first)+len(second)
	for _, steps := range [][]step{first, second} {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(max(1, m.Parallel))
		for _, s := range steps {
			group.Go(func() error { return m.run(ctx, s) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// step makes one part of a bundle.
type step struct {
	// task is what it does, as a person would say it.
	task  string
	entry func() (string, error)
	work  func(ctx context.Context, out string) error
	// keep takes the result.
	keep func(result)
	// refresh makes it again even if it is there.
	refresh bool
}

// run takes the step's result from the cache or makes it.
func (m *maker) run(ctx context.Context, s step) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	entry, err := s.entry()
	if err != nil {
		return fmt.Errorf("%s: %w", s.task, err)
	}
	started := time.Now()
	r, found := m.store.find(entry)
	if found = found && !s.refresh; !found {
		m.emit(event.Event{Kind: event.TaskStarted, Task: s.task})
		if r, err = m.store.make(ctx, entry, s.work); err != nil {
			return fmt.Errorf("%s: %w", s.task, err)
		}
	}
	m.mu.Lock()
	s.keep(r)
	m.done++
	m.mu.Unlock()
	m.emit(event.Event{
		Kind: event.TaskFinished, Task: s.task, Changed: !found,
		Seconds: time.Since(started).Seconds(),
	})
	return nil
}

func (m *maker) emit(e event.Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Time, e.Done, e.Total = time.Now(), m.done, m.total
	if m.Sink != nil {
		m.Sink.Emit(e)
	}
}
