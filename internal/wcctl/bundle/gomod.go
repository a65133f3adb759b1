package bundle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

// module is a working copy of a nested Go module.
type module struct {
	dir   string
	build *Build
	env   []string
}

// prepare makes go.mod fit the wanted versions and writes main.go where it is a cut one.
func (m module) prepare(ctx context.Context) error {
	fits, err := m.fits()
	if err != nil {
		return err
	}
	if !fits {
		if err := m.require(ctx); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.build.Patches)) {
		if err := m.patch(ctx, name, m.build.Patches[name]); err != nil {
			return err
		}
	}
	if m.build.Main != nil {
		if err := m.writeMain(ctx); err != nil {
			return err
		}
	}
	if fits {
		return nil
	}
	return m.tidy(ctx)
}

// UpdateModule makes the go.mod and go.sum of a component's folder below source fit the wanted
// versions, as Create does for itself at each build of another version.
func UpdateModule(ctx context.Context, source string, c Component) error {
	work, err := os.MkdirTemp("", "wcctl-module-")
	if err != nil {
		return fmt.Errorf("making a folder for the module: %w", err)
	}
	defer func() { _ = os.RemoveAll(work) }()
	folder := filepath.Join(source, c.Name)
	if err := os.CopyFS(work, os.DirFS(folder)); err != nil {
		return fmt.Errorf("copying the module of %s: %w", c.Name, err)
	}
	m := module{dir: work, build: c.Build, env: programs{arch: runtime.GOARCH}.env()}
	if err := m.prepare(ctx); err != nil {
		return fmt.Errorf("preparing the module of %s %s: %w", c.Name, c.Version, err)
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(m.path(name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading the new module: %w", err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, fileMode); err != nil {
			return fmt.Errorf("writing the new module: %w", err)
		}
	}
	return nil
}

// fits tells whether go.mod requires exactly the wanted versions.
func (m module) fits() (bool, error) {
	file, err := m.parse()
	if err != nil {
		return false, err
	}
	for name, version := range m.build.Modules {
		if !slices.ContainsFunc(file.Require, func(r *modfile.Require) bool {
			return r.Mod.Path == name && r.Mod.Version == "v"+version
		}) {
			return false, nil
		}
	}
	return true, nil
}

func (m module) parse() (*modfile.File, error) {
	raw, err := os.ReadFile(m.path("go.mod"))
	if err != nil {
		return nil, fmt.Errorf("reading the module: %w", err)
	}
	return modfile.Parse("go.mod", raw, nil)
}

// require writes a go.mod that names the wanted versions alone, so that theirs decide the rest.
func (m module) require(ctx context.Context) error {
	old, err := m.parse()
	if err != nil {
		return err
	}
	file := new(modfile.File)
	if err := file.AddModuleStmt(old.Module.Mod.Path); err != nil {
		return err
	}
	if err := file.AddGoStmt(old.Go.Version); err != nil {
		return err
	}
	for _, tool := range old.Tool {
		if err := file.AddTool(tool.Path); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.build.Modules)) {
		version := "v" + m.build.Modules[name]
		file.AddNewRequire(name, version, false)
		if m.build.Staging {
			if err := m.replaceStaging(ctx, file, name, version); err != nil {
				return err
			}
		}
	}
	if !m.build.Staging {
		if err := keepRules(old, file); err != nil {
			return err
		}
	}
	file.Cleanup()
	raw, err := file.Format()
	if err != nil {
		return err
	}
	// Sums of another version's modules would stay for ever.
	if err := os.RemoveAll(m.path("go.sum")); err != nil {
		return err
	}
	return os.WriteFile(m.path("go.mod"), raw, fileMode)
}

// keepRules copies what a go.mod says of other modules by hand.
func keepRules(from, to *modfile.File) error {
	for _, r := range from.Replace {
		if err := to.AddReplace(r.Old.Path, r.Old.Version, r.New.Path, r.New.Version); err != nil {
			return err
		}
	}
	for _, e := range from.Exclude {
		if err := to.AddExclude(e.Mod.Path, e.Mod.Version); err != nil {
			return err
		}
	}
	return nil
}

// replaceStaging pins k8s.io/api and the others that name's own go.mod takes from folders:
// Kubernetes 1.36.3 releases them as 0.36.3.
func (m module) replaceStaging(
	ctx context.Context, file *modfile.File, name, version string,
) error {
	dir, err := m.download(ctx, name, version)
	if err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return fmt.Errorf("reading the go.mod of %s: %w", name, err)
	}
	upstream, err := modfile.Parse(name+"/go.mod", raw, nil)
	if err != nil {
		return err
	}
	for _, g := range upstream.Godebug {
		if err := file.AddGodebug(g.Key, g.Value); err != nil {
			return err
		}
	}
	release := "v0." + strings.TrimPrefix(version, "v1.")
	for _, r := range upstream.Replace {
		if !strings.HasPrefix(r.New.Path, "./staging/") {
			continue
		}
		if err := file.AddReplace(r.Old.Path, "", r.Old.Path, release); err != nil {
			return err
		}
	}
	return nil
}

// download returns the folder of a module in Go's own cache.
func (m module) download(ctx context.Context, name, version string) (string, error) {
	info, err := m.fetch(ctx, name, version)
	return info.Dir, err
}

// fetched is a module in Go's own cache.
type fetched struct{ Dir, Sum string }

func (m module) fetch(ctx context.Context, name, version string) (fetched, error) {
	out, err := m.command("go", "mod", "download", "-json", name+"@"+version).Run(ctx)
	if err != nil {
		return fetched{}, err
	}
	var info fetched
	if err := json.Unmarshal(out, &info); err != nil {
		return fetched{}, fmt.Errorf("reading what go mod download says of %s: %w", name, err)
	}
	return info, nil
}

// locate finds a path below one of the build's modules in Go's own cache.
func (m module) locate(ctx context.Context, name string) (string, error) {
	for p, version := range m.build.Modules {
		if name == p || strings.HasPrefix(name, p+"/") {
			dir, err := m.download(ctx, p, "v"+version)
			return filepath.Join(dir, filepath.FromSlash(strings.TrimPrefix(name, p))), err
		}
	}
	return "", fmt.Errorf("%s is in none of the modules", name)
}

// tidy completes go.mod and go.sum; tests of a third party need more than its programs do.
func (m module) tidy(ctx context.Context) error {
	if _, err := m.command("go", "mod", "tidy").Run(ctx); err != nil {
		return err
	}
	for _, pkg := range slices.Sorted(maps.Values(m.build.TestPrograms)) {
		args := []string{"go", "list", "-mod=mod", "-deps", "-test", pkg}
		if _, err := m.command(args...).Run(ctx); err != nil {
			return err
		}
	}
	return nil
}

// writeMain copies the files of a third party's main package without some of its imports.
func (m module) writeMain(ctx context.Context) error {
	dir, err := m.locate(ctx, m.build.Main.Package)
	if err != nil {
		return err
	}
	return m.copyMain(dir)
}

func (m module) copyMain(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		return err
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, parser.ParseComments)
		if err != nil {
			return fmt.Errorf("reading the main package: %w", err)
		}
		dropImports(file, m.build.Main.Without)
		out, err := os.Create(m.path(filepath.Base(name)))
		if err != nil {
			return fmt.Errorf("writing the main package: %w", err)
		}
		if err := format.Node(out, set, file); err != nil {
			return fmt.Errorf("writing the main package: %w", err)
		}
		if err := out.Close(); err != nil {
			return fmt.Errorf("writing the main package: %w", err)
		}
	}
	return nil
}

func dropImports(file *ast.File, paths []string) {
	for _, decl := range file.Decls {
		imports, ok := decl.(*ast.GenDecl)
		if !ok || imports.Tok != token.IMPORT {
			continue
		}
		imports.Specs = slices.DeleteFunc(imports.Specs, func(s ast.Spec) bool {
			name, err := strconv.Unquote(s.(*ast.ImportSpec).Path.Value)
			return err == nil && slices.Contains(paths, name)
		})
	}
}

// programName is how go build names the program of a package: it skips a major version's suffix.
func (m module) programName(ctx context.Context, pkg string) (string, error) {
	out, err := m.command("go", "list", "-mod=readonly", "-f", "{{.Target}}", pkg).Run(ctx)
	if err != nil {
		return "", err
	}
	return path.Base(filepath.ToSlash(strings.TrimSpace(string(out)))), nil
}

func (m module) command(args ...string) proc.Command {
	return proc.Command{Dir: m.dir, Env: m.env, Args: args}
}

func (m module) path(name string) string { return filepath.Join(m.dir, name) }
