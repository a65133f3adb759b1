package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
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
	programs, userlands, images, archives map[string]result
	packages                              result
	done, total                           int
}

// maxRepairs bounds the results that one run makes again because they are damaged.
const maxRepairs = 8

// lockPoll is how often a second run looks whether the first has ended.
const lockPoll = 500 * time.Millisecond

// Create makes a bundle. What was made before is taken from the cache; an interrupted run goes on
// with the step at which it was. The bundle appears whole or not at all.
func Create(ctx context.Context, o Options) (*Bundle, error) {
	if err := os.MkdirAll(o.Cache, 0o755); err != nil {
		return nil, fmt.Errorf("making the cache: %w", err)
	}
	lock := flock.New(filepath.Join(o.Cache, "lock"))
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return nil, fmt.Errorf("waiting for another wcctl that uses %s: %w", o.Cache, err)
	}
	defer lock.Close()
	version, err := goVersion(ctx)
	if err != nil {
		return nil, err
	}
	m := &maker{
		Options: o, store: store{dir: o.Cache}, goVersion: version,
		programs: map[string]result{}, userlands: map[string]result{},
		images: map[string]result{}, archives: map[string]result{},
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

// steps are the parts in two rounds; the second is made of the first.
func (m *maker) steps() (first, second []step) {
	// The longest comes first, so that the others run beside it.
	for _, c := range m.Recipe.Components {
		if c.Build != nil && len(c.Build.Programs)+len(c.Build.TestPrograms) > 0 {
			first = append(first, m.programStep(c))
		}
		for _, f := range c.Files {
			if len(f.Archive) > 0 && c.Build != nil {
				second = append(second, m.archiveStep(c, f))
			}
		}
		for _, i := range c.Images {
			if c.Build != nil {
				second = append(second, m.imageStep(c, i))
			}
		}
	}
	if len(m.Recipe.Packages.Install) > 0 {
		first = append(first, m.packageStep())
	}
	for _, u := range m.Recipe.Userlands {
		first = append(first, m.userlandStep(u))
	}
	return first, second
}

func (m *maker) programStep(c Component) step {
	p := programs{store: m.store, source: m.Source, arch: m.Recipe.Architecture, goVersion: m.goVersion}
	return step{
		task:  "building " + c.Name + " " + c.Version,
		entry: func() (string, error) { return p.entry(c) },
		work:  func(ctx context.Context, out string) error { return p.build(ctx, c, out) },
		keep:  func(r result) { m.programs[c.Name] = r },
	}
}

func (m *maker) packageStep() step {
	d := debian{packages: m.Recipe.Packages, arch: m.Recipe.Architecture}
	install := m.Recipe.Packages.Install
	return step{
		task:    "downloading packages for " + m.Recipe.Packages.Distribution,
		entry:   func() (string, error) { return m.store.entry("packages", d.inputs(install)) },
		work:    func(ctx context.Context, out string) error { return d.download(ctx, install, out) },
		keep:    func(r result) { m.packages = r },
		refresh: m.Refresh,
	}
}

// userlandRecipe changes when userland.go makes something else of the same inputs.
const userlandRecipe = 1

func (m *maker) userlandStep(u Userland) step {
	d := debian{packages: m.Recipe.Packages, arch: m.Recipe.Architecture}
	return step{
		task: "cutting the user land " + u.Name + " out of packages",
		entry: func() (string, error) {
			return m.store.entry("userland-"+u.Name, struct {
				Recipe   int          `json:"recipe"`
				Packages debianInputs `json:"packages"`
				Userland Userland     `json:"userland"`
			}{userlandRecipe, d.inputs(u.Packages), u})
		},
		work:    func(ctx context.Context, out string) error { return makeUserland(ctx, d, u, out) },
		keep:    func(r result) { m.userlands[u.Name] = r },
		refresh: m.Refresh,
	}
}

func makeUserland(ctx context.Context, d debian, u Userland, out string) error {
	debs, err := os.MkdirTemp(filepath.Dir(out), ".debs-")
	if err != nil {
		return fmt.Errorf("making a folder for packages: %w", err)
	}
	defer os.RemoveAll(debs)
	if err := d.download(ctx, u.Packages, debs); err != nil {
		return err
	}
	unpacked, err := unpack(ctx, debs)
	if err != nil {
		return err
	}
	entries, err := unpacked.cut(u)
	if err != nil {
		return err
	}
	_, err = writeLayer(out, entries)
	return err
}

func (m *maker) archiveStep(c Component, f File) step {
	name := path.Base(f.URL)
	return step{
		task: "packing " + name,
		entry: func() (string, error) {
			return m.store.entry("archive-"+f.Name, struct {
				Archive  map[string]string `json:"archive"`
				Name     string            `json:"name"`
				Programs []Digest          `json:"programs"`
			}{f.Archive, name, m.programs[c.Name].files})
		},
		work: func(_ context.Context, out string) error {
			return packArchive(m.programs[c.Name], f.Archive, filepath.Join(out, name))
		},
		keep: func(r result) { m.archives[f.Name] = r },
	}
}

func packArchive(programs result, paths map[string]string, target string) error {
	var entries []tarEntry
	for program, name := range paths {
		entry, err := programs.entry(program, name)
		if err != nil {
			return err
		}
		entries = append(entries, entry)
	}
	out, err := os.Create(target)
	if err != nil {
		return fmt.Errorf("packing: %w", err)
	}
	return programs.after(errors.Join(writeTar(out, nil, entries), out.Close()))
}

func (m *maker) imageStep(c Component, i Image) step {
	// The inputs are results of the first round, which has ended when these run.
	maker := func() imageMaker {
		im := imageMaker{image: i, arch: m.Recipe.Architecture, programs: m.programs[c.Name]}
		if u, ok := m.userlands[i.Userland]; ok {
			im.userland = &u
		}
		return im
	}
	return step{
		task:  "making the image " + i.Ref,
		entry: func() (string, error) { return m.store.entry("image-"+c.Name, maker().inputs()) },
		work:  func(ctx context.Context, out string) error { return maker().make(ctx, out) },
		keep:  func(r result) { m.images[i.Ref] = r },
	}
}
