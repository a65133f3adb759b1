// Package release knows the versions that a cluster is made of, from infra/versions.yaml.
package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/wastecoach/wastecoach/infra"
	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

// Catalog is versions.yaml. Its strings hold variables like {version} until Recipe fills them in.
type Catalog struct {
	Kubernetes Kubernetes         `json:"kubernetes"`
	Components []bundle.Component `json:"components"`
	Packages   bundle.Packages    `json:"packages"`
	Userlands  []bundle.Userland  `json:"userlands"`
}

// Kubernetes is the releases that can be installed.
type Kubernetes struct {
	Default  string    `json:"default"`
	Releases []Release `json:"releases"`
}

// Release is one Kubernetes release with the versions of what belongs to it.
type Release struct {
	Version string `json:"version"`
	// Versions are those of components that have none of their own; {name} stands for each.
	Versions map[string]string `json:"versions"`
}

// component is the one whose version is the release itself.
const component = "kubernetes"

// Load reads the catalog in this program.
func Load() (*Catalog, error) { return Parse(infra.Versions) }

// Parse reads a catalog; an unknown field is an error.
func Parse(text []byte) (*Catalog, error) {
	var c Catalog
	if err := yaml.UnmarshalStrict(text, &c); err != nil {
		return nil, fmt.Errorf("reading versions.yaml: %w", err)
	}
	if err := c.validate(); err != nil {
		return nil, fmt.Errorf("versions.yaml: %w", err)
	}
	return &c, nil
}

// Default is the Kubernetes release that is installed where none is named.
func Default() (string, error) {
	c, err := Load()
	if err != nil {
		return "", err
	}
	return c.Kubernetes.Default, nil
}

// UnknownError is a release that this wcctl does not install.
type UnknownError struct {
	Version string
	Known   []string
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("Kubernetes %s is not a release that this wcctl knows: %s",
		e.Version, strings.Join(e.Known, ", "))
}

// Versions are the releases that can be installed.
func (c *Catalog) Versions() []string {
	var list []string
	for _, r := range c.Kubernetes.Releases {
		list = append(list, r.Version)
	}
	return list
}

// Recipe fills the catalog in for one release and architecture.
func (c *Catalog) Recipe(version, arch string) (bundle.Recipe, error) {
	version = strings.TrimPrefix(version, "v")
	i := slices.IndexFunc(c.Kubernetes.Releases, func(r Release) bool { return r.Version == version })
	if i < 0 {
		return bundle.Recipe{}, &UnknownError{Version: version, Known: c.Versions()}
	}
	recipe := bundle.Recipe{
		Kubernetes: version, Architecture: arch, Packages: c.Packages, Userlands: c.Userlands,
	}
	for _, raw := range c.Components {
		filled, err := fill(raw, c.Kubernetes.Releases[i], arch)
		if err != nil {
			return bundle.Recipe{}, err
		}
		recipe.Components = append(recipe.Components, filled)
	}
	return recipe, nil
}

// fill replaces the variables everywhere in a component.
func fill(c bundle.Component, r Release, arch string) (bundle.Component, error) {
	switch {
	case c.Version != "":
	case c.Name == component:
		c.Version = r.Version
	default:
		c.Version = r.Versions[c.Name]
	}
	variables := []string{
		"{version}", c.Version, "{kubernetes}", r.Version, "{minor}", minor(r.Version), "{arch}", arch,
	}
	for name, version := range r.Versions {
		variables = append(variables, "{"+name+"}", version)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("filling %s in: %w", c.Name, err)
	}
	text := strings.NewReplacer(variables...).Replace(string(raw))
	var filled bundle.Component
	if err := json.Unmarshal([]byte(text), &filled); err != nil {
		return c, fmt.Errorf("filling %s in: %w", c.Name, err)
	}
	return filled, nil
}

// minor is the 36 of 1.36.3.
func minor(version string) string {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return ""
	}
	return parts[1]
}

func (c *Catalog) validate() error {
	if !slices.Contains(c.Versions(), c.Kubernetes.Default) {
		return fmt.Errorf("the default %q is not among the releases", c.Kubernetes.Default)
	}
	var names []string
	for _, u := range c.Userlands {
		names = append(names, u.Name)
	}
	for _, part := range c.Components {
		if err := c.validateComponent(part, names); err != nil {
			return fmt.Errorf("component %s: %w", part.Name, err)
		}
	}
	return nil
}

func (c *Catalog) validateComponent(part bundle.Component, userlands []string) error {
	for _, r := range c.Kubernetes.Releases {
		if part.Version == "" && part.Name != component && r.Versions[part.Name] == "" {
			return fmt.Errorf("it has no version for Kubernetes %s", r.Version)
		}
	}
	if (part.Build == nil) != (part.OnlineOnly != "") {
		return fmt.Errorf("it needs either build or onlineOnly")
	}
	if part.Build == nil {
		return nil
	}
	known := slices.Concat(slices.Collect(maps.Keys(part.Build.Programs)),
		slices.Collect(maps.Keys(part.Build.TestPrograms)))
	for _, f := range part.Files {
		if ways(f.Program != "", len(f.Archive) > 0, f.Source != "") != 1 {
			return fmt.Errorf("file %s needs one of program, archive and source", f.Name)
		}
		used := slices.Collect(maps.Keys(f.Archive))
		if f.Program != "" {
			used = []string{f.Program}
		}
		if err := subset(used, known); err != nil {
			return fmt.Errorf("file %s: %w", f.Name, err)
		}
	}
	for _, i := range part.Images {
		if err := subset(slices.Collect(maps.Keys(i.Programs)), known); err != nil {
			return fmt.Errorf("image %s: %w", i.Ref, err)
		}
		if i.Userland != "" && !slices.Contains(userlands, i.Userland) {
			return fmt.Errorf("image %s: there is no user land %s", i.Ref, i.Userland)
		}
	}
	return nil
}

// ways counts what is given.
func ways(given ...bool) (n int) {
	for _, g := range given {
		if g {
			n++
		}
	}
	return n
}

func subset(used, known []string) error {
	for _, name := range used {
		if !slices.Contains(known, name) {
			return fmt.Errorf("program %s is not built", name)
		}
	}
	return nil
}
