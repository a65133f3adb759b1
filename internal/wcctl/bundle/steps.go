package bundle

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// steps are the parts in two rounds; the second is made of the first.
func (m *maker) steps() (first, second []step) {
	// The longest comes first, so that the others run beside it.
	for _, c := range m.Recipe.Components {
		if c.Build != nil && len(c.Build.Programs)+len(c.Build.TestPrograms) > 0 {
			first = append(first, m.programStep(c))
		}
		for _, f := range c.Files {
			switch {
			case c.Build == nil:
			case len(f.Archive) > 0:
				second = append(second, m.archiveStep(c, f))
			case f.Source != "":
				second = append(second, m.sourceStep(c, f))
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
	// Who wants it is no part of it.
	u.Group = ""
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
	defer func() { _ = os.RemoveAll(debs) }()
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
	name := f.fileName()
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
		keep: func(r result) { m.packed[f.Name] = r },
	}
}

// sourceStep takes a file out of a module, which holds what the project publishes at the same tag.
func (m *maker) sourceStep(c Component, f File) step {
	p := programs{store: m.store, source: m.Source, arch: m.Recipe.Architecture}
	return step{
		task: "taking " + f.Source + " out of its module",
		entry: func() (string, error) {
			return m.store.entry("source-"+f.Name, struct {
				Modules map[string]string `json:"modules"`
				File    File              `json:"file"`
			}{c.Build.Modules, f})
		},
		work: func(ctx context.Context, out string) error { return p.takeSource(ctx, c, f, out) },
		keep: func(r result) { m.packed[f.Name] = r },
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
