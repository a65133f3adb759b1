package bundle

import (
	"path"
	"slices"
)

// Recipe is all that a bundle is made of; release reads it from versions.yaml.
type Recipe struct {
	// Kubernetes is the release that the bundle installs, without the v.
	Kubernetes string `json:"kubernetes"`
	// Architecture is as in GOARCH.
	Architecture string      `json:"architecture"`
	Components   []Component `json:"components"`
	Packages     Packages    `json:"packages"`
	Userlands    []Userland  `json:"userlands"`
}

// Group is a part of the recipe that is made only when it is asked for.
type Group string

const (
	// Tests is what only the end-to-end tests need.
	Tests Group = "tests"
	// System is what the product needs in a cluster beside its own images.
	System Group = "system"
)

// Component is one third-party project at one version.
type Component struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// About says in a line what the component does.
	About    string `json:"about,omitempty"`
	Homepage string `json:"homepage,omitempty"`
	// Group is who alone needs the component; every bundle holds those without one.
	Group Group `json:"group,omitempty"`
	// OnlineOnly says why no bundle can hold the component.
	OnlineOnly string  `json:"onlineOnly,omitempty"`
	Build      *Build  `json:"build,omitempty"`
	Files      []File  `json:"files,omitempty"`
	Images     []Image `json:"images,omitempty"`
}

// Build makes a component's programs in the Go module <source>/<component's name>.
type Build struct {
	// Modules are the third-party modules with their versions; another version than the folder's
	// go.mod has is generated at build time.
	Modules map[string]string `json:"modules,omitempty"`
	// Staging replaces the staging modules of k8s.io/kubernetes by their releases.
	Staging bool  `json:"staging,omitempty"`
	Main    *Main `json:"main,omitempty"`
	// Patches maps a module to how it is changed; the folder's go.mod replaces it by that folder.
	Patches map[string]Patch `json:"patches,omitempty"`
	// Tags are build tags.
	Tags []string `json:"tags,omitempty"`
	// Variables are set by the linker's -X.
	Variables map[string]string `json:"variables,omitempty"`
	// Programs maps a program's name to its package.
	Programs map[string]string `json:"programs,omitempty"`
	// TestPrograms maps a program's name to the package whose tests it holds.
	TestPrograms map[string]string `json:"testPrograms,omitempty"`
}

// Main is the main package of a module with some of its blank imports left out.
type Main struct {
	Package string   `json:"package"`
	Without []string `json:"without"`
}

// Patch is a copy of a module in which our own files take the place of some of its.
type Patch struct {
	Version string `json:"version"`
	// Sum is the module's hash as go.sum has it.
	Sum string `json:"sum"`
	// Folder below the component's module holds our files, and becomes the copy.
	Folder string `json:"folder"`
}

// File is what a machine downloads: a program, an archive of several, or a module's own file.
type File struct {
	// Name is the key in the Ansible variable wc_files.
	Name string `json:"name"`
	// URL is the project's own release; its last element names the file in a bundle too.
	URL string `json:"url"`
	// Checksum is where the project publishes the file's SHA-256, or the SHA-256 itself.
	Checksum string `json:"checksum"`
	Program  string `json:"program,omitempty"`
	// Archive maps programs to their paths in a gzipped tar.
	Archive map[string]string `json:"archive,omitempty"`
	// Source is the file's path below its module, e.g. example.com/tool/v2/config/a.yaml.
	Source string `json:"source,omitempty"`
}

// fileName is the file's name below files/.
func (f File) fileName() string { return path.Base(f.URL) }

// Image is a container image.
type Image struct {
	// Ref is the full reference, e.g. registry.k8s.io/pause:3.10.2.
	Ref string `json:"ref"`
	// Nodes are the roles that pull it in advance: control_plane, worker.
	Nodes []string `json:"nodes,omitempty"`
	// Network is the pod network that alone needs it.
	Network    string   `json:"network,omitempty"`
	Entrypoint []string `json:"entrypoint,omitempty"`
	// Command is the default arguments.
	Command []string `json:"command,omitempty"`
	// Userland names the layer below the programs.
	Userland string `json:"userland,omitempty"`
	// Programs maps programs of the component to their paths in the image.
	Programs map[string]string `json:"programs,omitempty"`
	// Users maps names to user ids, which are their groups' too.
	Users map[string]int `json:"users,omitempty"`
}

// Packages are Debian packages; the bundle adds all that they depend on.
type Packages struct {
	Distribution string `json:"distribution"`
	// Sources are apt sources: address, suite, components.
	Sources []string `json:"sources"`
	// Keyring verifies the sources; they are trusted where it is empty.
	Keyring string   `json:"keyring"`
	Install []string `json:"install"`
}

// Userland is files cut out of Debian packages for an image.
type Userland struct {
	Name     string   `json:"name"`
	Group    Group    `json:"group,omitempty"`
	Packages []string `json:"packages"`
	// Files are patterns of path.Match below the root, with /bin, /sbin and /lib merged into /usr.
	Files []string `json:"files"`
	// Links maps a symbolic link to its target.
	Links map[string]string `json:"links,omitempty"`
}

// With is the recipe with what is in these groups or in none.
func (r Recipe) With(groups ...Group) Recipe {
	left := func(g Group) bool { return g != "" && !slices.Contains(groups, g) }
	r.Components = slices.DeleteFunc(slices.Clone(r.Components), func(c Component) bool { return left(c.Group) })
	r.Userlands = slices.DeleteFunc(slices.Clone(r.Userlands), func(u Userland) bool { return left(u.Group) })
	return r
}
