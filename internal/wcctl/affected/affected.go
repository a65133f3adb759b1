// Package affected finds which parts of the repository a change concerns: what must be built and tested.
package affected

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Components are what is built and delivered on its own: the services, and wcctl.
func Components() []string {
	return []string{"auth", "users", "waste", "recycling", "locations", wcctl}
}

const wcctl = "wcctl"

// Report tells what a change concerns, and why.
type Report struct {
	// Since and Head are the commits between which the change lies.
	Since string `json:"since"`
	Head  string `json:"head"`
	// Affected are components, in the order of Components.
	Affected []string `json:"affected"`
	// Reasons names, for each affected component, a few of the files that concern it.
	Reasons map[string][]string `json:"reasons"`
	// Files is how many files the change touches.
	Files int `json:"files"`
}

// Saved is the share of the services that need no build, 0–1.
func (r Report) Saved() float64 {
	services := slices.DeleteFunc(Components(), func(c string) bool { return c == wcctl })
	needed := slices.DeleteFunc(slices.Clone(r.Affected), func(c string) bool { return c == wcctl })
	return 1 - float64(len(needed))/float64(len(services))
}

// reasonsKept is how many files are named for each component.
const reasonsKept = 5

// Since reports on what the tree at dir changes against the merge base with ref. What is not committed
// counts, too.
func Since(ctx context.Context, dir, ref string) (Report, error) {
	base, head, err := mergeBase(ctx, dir, ref)
	if err != nil {
		return Report{}, err
	}
	files, err := changedFiles(ctx, dir, base)
	if err != nil {
		return Report{}, err
	}
	report := Report{Since: base, Head: head, Affected: []string{}, Reasons: map[string][]string{}, Files: len(files)}
	if len(files) == 0 {
		return report, nil
	}
	tree, err := readTree(ctx, dir)
	if err != nil {
		return Report{}, err
	}
	for _, file := range files {
		concerned, err := tree.concerned(ctx, base, file)
		if err != nil {
			return Report{}, err
		}
		for _, c := range concerned {
			if len(report.Reasons[c]) < reasonsKept {
				report.Reasons[c] = append(report.Reasons[c], file)
			}
		}
	}
	for _, c := range Components() {
		if report.Reasons[c] != nil {
			report.Affected = append(report.Affected, c)
		}
	}
	return report, nil
}

// concerned names the components that a changed file is part of. In doubt it names all.
func (t *tree) concerned(ctx context.Context, base, file string) ([]string, error) {
	if owner := ownerOf(file); owner != "" {
		return []string{owner}, nil
	}
	switch {
	case file == "go.mod" || file == "go.sum":
		return t.ofModules(ctx, base)
	case isProse(file):
		return nil, nil
	}
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		if t.packages[dir] {
			return t.importers(dir), nil
		}
		if dir == "." {
			break
		}
	}
	if strings.HasSuffix(file, ".go") {
		return nil, nil // a package that is gone, and with it those who imported it or their imports
	}
	return Components(), nil
}

// ownerOf knows files that belong to one service although others embed or run them.
func ownerOf(file string) string {
	for _, c := range Components() {
		for _, own := range []string{
			"migrations/" + c + "/", "charts/service/values/" + c + ".yaml",
			"api/" + c + ".yaml", ".github/workflows/ci-" + c + ".yml",
		} {
			if file == own || strings.HasSuffix(own, "/") && strings.HasPrefix(file, own) {
				return c
			}
		}
	}
	return ""
}

// isProse tells of files that no build and no test reads.
func isProse(file string) bool {
	return strings.HasPrefix(file, "docs/") && path.Ext(file) == ".md" ||
		!strings.Contains(file, "/") && (path.Ext(file) == ".md" || file == "LICENSE" || file == ".gitignore")
}

// importers are the components in whose programs or tests the package is.
func (t *tree) importers(dir string) []string {
	var found []string
	for _, c := range Components() {
		if t.uses[c][dir] {
			found = append(found, c)
		}
	}
	return found
}

// ofModules names the components that use a module whose version changed. A new Go concerns all.
func (t *tree) ofModules(ctx context.Context, base string) ([]string, error) {
	changed, all, err := t.changedModules(ctx, base)
	if err != nil {
		return nil, fmt.Errorf("comparing go.mod: %w", err)
	}
	if all {
		return Components(), nil
	}
	var found []string
	for _, c := range Components() {
		if slices.ContainsFunc(changed, func(module string) bool { return t.modules[c][module] }) {
			found = append(found, c)
		}
	}
	return found, nil
}

// ErrNoCommit is a reference that git does not know.
var ErrNoCommit = errors.New("no such commit")
