package bundle

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

// programs builds a component's programs, or takes them from the cache.
type programs struct {
	store     store
	source    string
	arch      string
	goVersion string
}

// goInputs is all that a program depends on.
type goInputs struct {
	Recipe  int      `json:"recipe"`
	Go      string   `json:"go"`
	Arch    string   `json:"arch"`
	Version string   `json:"version"`
	Build   *Build   `json:"build"`
	Source  []Digest `json:"source"`
}

// goRecipe changes when this file builds differently from the same inputs.
const goRecipe = 1

func (p programs) entry(c Component) (string, error) {
	source, err := digestTree(filepath.Join(p.source, c.Name))
	if err != nil {
		return "", err
	}
	return p.store.entry("go-"+c.Name, goInputs{
		Recipe: goRecipe, Go: p.goVersion, Arch: p.arch, Version: c.Version,
		Build: c.Build, Source: source,
	})
}

// build works on a copy of the module, as go.mod and main.go may have to be generated.
func (p programs) build(ctx context.Context, c Component, out string) error {
	work, err := os.MkdirTemp(p.store.dir, ".module-")
	if err != nil {
		return fmt.Errorf("making a folder in the cache: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	if err := os.CopyFS(work, os.DirFS(filepath.Join(p.source, c.Name))); err != nil {
		return fmt.Errorf("copying the module of %s: %w", c.Name, err)
	}
	m := module{dir: work, build: c.Build, env: p.env()}
	if err := m.prepare(ctx); err != nil {
		return fmt.Errorf("preparing the module of %s %s: %w", c.Name, c.Version, err)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Build.TestPrograms)) {
		// Vetting somebody else's tests would look at every package that they need.
		args := append([]string{"go", "test", "-c", "-vet=off"}, c.Build.flags()...)
		args = append(args, "-o", filepath.Join(out, name), c.Build.TestPrograms[name])
		if _, err := m.command(args...).Run(ctx); err != nil {
			return err
		}
	}
	return p.buildPrograms(ctx, m, out)
}

// buildPrograms builds all in one go command, which shares its work among them.
func (p programs) buildPrograms(ctx context.Context, m module, out string) error {
	if len(m.build.Programs) == 0 {
		return nil
	}
	bin := filepath.Join(m.dir, "bin") + string(filepath.Separator)
	args := append([]string{"go", "build"}, m.build.flags()...)
	args = append(args, "-o", bin)
	args = append(args, slices.Sorted(maps.Values(m.build.Programs))...)
	if _, err := m.command(args...).Run(ctx); err != nil {
		return err
	}
	for name, pkg := range m.build.Programs {
		built, err := m.programName(ctx, pkg)
		if err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(bin, built), filepath.Join(out, name)); err != nil {
			return fmt.Errorf("taking the program %s: %w", name, err)
		}
	}
	return nil
}

// env pins what would otherwise come from the user's own settings.
func (p programs) env() []string {
	return []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + p.arch, "GOFLAGS=", "GOWORK=off",
		"GOBIN=", "GOAMD64=v1", "GOARM64=v8.0", "GOEXPERIMENT=", "GOFIPS140=off",
	}
}

// flags makes programs that do not depend on where and when they are built.
func (b *Build) flags() []string {
	link := "-s -w"
	for _, name := range slices.Sorted(maps.Keys(b.Variables)) {
		link += " -X " + name + "=" + b.Variables[name]
	}
	flags := []string{"-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags=" + link}
	if len(b.Tags) > 0 {
		flags = append(flags, "-tags="+strings.Join(b.Tags, ","))
	}
	return flags
}

// describe tells a reader of the lock how the programs were made.
func (b *Build) describe(goVersion, arch string) string {
	return strings.Join(append([]string{
		goVersion, "CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "go", "build",
	}, b.flags()...), " ")
}

// goVersion asks the go command, which must be on the PATH.
func goVersion(ctx context.Context) (string, error) {
	out, err := proc.Command{Args: []string{"go", "env", "GOVERSION"}}.Run(ctx)
	return strings.TrimSpace(string(out)), err
}
