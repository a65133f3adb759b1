package affected

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/tools/go/packages"
)

// tree is what of the repository each component uses.
type tree struct {
	dir string
	// packages are the folders, from the root, that hold a package.
	packages map[string]bool
	// uses and modules are by component, tests included.
	uses    map[string]map[string]bool
	modules map[string]map[string]bool
}

// readTree asks the go command for the import graph; it must be able to load every package.
func readTree(ctx context.Context, dir string) (*tree, error) {
	root, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("finding the repository: %w", err)
	}
	loaded, err := packages.Load(&packages.Config{
		Context: ctx, Dir: root, Tests: true,
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedDeps | packages.NeedModule,
	}, "./...")
	if err != nil {
		return nil, fmt.Errorf("reading the import graph: %w", err)
	}
	t := &tree{
		dir: root, packages: map[string]bool{},
		uses: map[string]map[string]bool{}, modules: map[string]map[string]bool{},
	}
	var faults error
	packages.Visit(loaded, nil, func(p *packages.Package) {
		for _, e := range p.Errors {
			faults = errors.Join(faults, e)
		}
		if folder, ok := t.folder(p); ok {
			t.packages[folder] = true
		}
	})
	if faults != nil {
		return nil, fmt.Errorf("reading the import graph: %w", faults)
	}
	for _, c := range Components() {
		t.uses[c], t.modules[c] = map[string]bool{}, map[string]bool{}
		packages.Visit(rootsOf(t, loaded, c), nil, func(p *packages.Package) {
			if folder, ok := t.folder(p); ok {
				t.uses[c][folder] = true
			} else if p.Module != nil {
				t.modules[c][p.Module.Path] = true
			}
		})
	}
	return t, nil
}

// folder is where a package of this repository is.
func (t *tree) folder(p *packages.Package) (string, bool) {
	if p.Module == nil || !p.Module.Main {
		return "", false
	}
	path := strings.TrimSuffix(strings.TrimSuffix(p.PkgPath, ".test"), "_test")
	return strings.TrimPrefix(strings.TrimPrefix(path, p.Module.Path), "/"), true
}

// rootsOf are a component's program and its own packages, with their tests.
func rootsOf(t *tree, loaded []*packages.Package, component string) []*packages.Package {
	own := []string{"cmd/" + component, "services/" + component}
	if component == wcctl {
		// It also keeps what no service uses.
		own = []string{"cmd/wcctl", "internal", "e2e", "api", "infra", "migrations"}
	}
	var roots []*packages.Package
	for _, p := range loaded {
		folder, _ := t.folder(p)
		for _, o := range own {
			if folder == o || strings.HasPrefix(folder, o+"/") {
				roots = append(roots, p)
			}
		}
	}
	return roots
}

// changedModules compares go.mod with that of base; all tells that the change concerns everything.
func (t *tree) changedModules(ctx context.Context, base string) (changed []string, all bool, err error) {
	before, err := git(ctx, t.dir, "show", base+":go.mod")
	if err != nil {
		return nil, true, ctx.Err() // there was none
	}
	now, err := os.ReadFile(filepath.Join(t.dir, "go.mod"))
	if err != nil {
		return nil, false, err
	}
	old, err := modfile.Parse("go.mod", []byte(before), nil)
	if err != nil {
		return nil, false, err
	}
	young, err := modfile.Parse("go.mod", now, nil)
	if err != nil {
		return nil, false, err
	}
	if goOf(old) != goOf(young) || len(old.Replace)+len(young.Replace) > 0 {
		return nil, true, nil
	}
	versions := map[string]string{}
	for _, r := range old.Require {
		versions[r.Mod.Path] = r.Mod.Version
	}
	for _, r := range young.Require {
		if versions[r.Mod.Path] != r.Mod.Version {
			changed = append(changed, r.Mod.Path)
		}
	}
	return changed, false, nil
}

func goOf(f *modfile.File) string {
	var text string
	if f.Go != nil {
		text = f.Go.Version
	}
	if f.Toolchain != nil {
		text += f.Toolchain.Name
	}
	return text
}
