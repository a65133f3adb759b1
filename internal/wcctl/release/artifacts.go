package release

import (
	"fmt"
	"path"
	"slices"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
)

// BundleAddress is where a machine finds the bundle that wcctl serves: the machine's end of the
// tunnel.
const BundleAddress = "127.0.0.1:5885"

// Roles of machines as Ansible's variables name them.
const (
	ControlPlane = "control_plane"
	Worker       = "worker"
)

// Artifacts tells the Ansible roles where everything comes from; online and with a bundle, the
// roles do the same.
type Artifacts struct {
	// Version is the Kubernetes release without the v.
	Version string `json:"wc_kubernetes_version"`
	// Files are what machines download, by the names in versions.yaml.
	Files map[string]Download `json:"wc_files"`
	// RegistryMirror is an address that serves all registries' images; it is empty online.
	RegistryMirror string `json:"wc_registry_mirror"`
	// AptSource is the address of a flat apt repository; it is empty online.
	AptSource string `json:"wc_apt_source"`
	// Packages are what apt installs.
	Packages []string `json:"wc_packages"`
	// Images are pulled in advance, by role.
	Images map[string][]string `json:"wc_images"`
	// PauseImage is what containerd holds a pod's namespaces with.
	PauseImage string `json:"wc_pause_image"`

	images []bundle.Image
}

// Download is a file with its checksum as ansible.builtin.get_url takes it.
type Download struct {
	URL string `json:"url"`
	// Checksum is sha256:<hex> or sha256:<address of a file with it>.
	Checksum string `json:"checksum"`
}

// NewArtifacts returns where all comes from for a release on machines of that architecture. Images
// are those that every cluster needs; ForNetwork adds a pod network's. b is nil online.
func NewArtifacts(version, arch string, b *bundle.Bundle) (Artifacts, error) {
	catalog, err := Load()
	if err != nil {
		return Artifacts{}, err
	}
	recipe, err := catalog.Recipe(version, arch)
	if err != nil {
		return Artifacts{}, err
	}
	if err := check(b, recipe); err != nil {
		return Artifacts{}, err
	}
	a := Artifacts{
		Version: recipe.Kubernetes, Files: map[string]Download{},
		Packages: recipe.Packages.Install,
	}
	if b != nil {
		a.RegistryMirror = "http://" + BundleAddress
		a.AptSource = "http://" + BundleAddress + "/debs"
	}
	for _, c := range recipe.Components {
		if c.Group != "" || b != nil && c.OnlineOnly != "" {
			continue
		}
		for _, f := range c.Files {
			a.Files[f.Name] = download(f, b)
		}
		a.images = append(a.images, c.Images...)
		if c.Name == "pause" {
			a.PauseImage = c.Images[0].Ref
		}
	}
	return a.ForNetwork(""), nil
}

// ForNetwork is the same with the images of that pod network too.
func (a Artifacts) ForNetwork(network string) Artifacts {
	a.Images = map[string][]string{}
	for _, role := range []string{ControlPlane, Worker} {
		a.Images[role] = []string{}
		for _, i := range a.images {
			if slices.Contains(i.Nodes, role) && (i.Network == "" || i.Network == network) {
				a.Images[role] = append(a.Images[role], i.Ref)
			}
		}
	}
	return a
}

// MismatchError is a bundle that is not the one wanted.
type MismatchError struct {
	// Fault is what is wrong, e.g. "lacks the file kubelet".
	Fault string
	// Kubernetes is the release that was asked for.
	Kubernetes string
}

// Error implements error.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("the bundle does not fit Kubernetes %s: it %s", e.Kubernetes, e.Fault)
}

// check makes sure that a bundle holds what the recipe names; nil is no bundle.
func check(b *bundle.Bundle, r bundle.Recipe) error {
	if b == nil {
		return nil
	}
	mismatch := func(format string, args ...any) error {
		return &MismatchError{Kubernetes: r.Kubernetes, Fault: fmt.Sprintf(format, args...)}
	}
	lock := b.Lock()
	if lock.Kubernetes != r.Kubernetes {
		return mismatch("has Kubernetes %s", lock.Kubernetes)
	}
	if lock.Architecture != r.Architecture {
		return mismatch("has architecture %s instead of %s", lock.Architecture, r.Architecture)
	}
	for _, c := range r.Components {
		if c.OnlineOnly != "" || c.Group != "" {
			continue
		}
		for _, f := range c.Files {
			if _, ok := b.File(path.Base(f.URL)); !ok {
				return mismatch("lacks the file %s", path.Base(f.URL))
			}
		}
		for _, i := range c.Images {
			if !b.HasImage(i.Ref) {
				return mismatch("lacks the image %s", i.Ref)
			}
		}
	}
	return nil
}

// download is where a machine gets a file; check has found it in the bundle.
func download(f bundle.File, b *bundle.Bundle) Download {
	if b == nil {
		return Download{URL: f.URL, Checksum: "sha256:" + f.Checksum}
	}
	name := path.Base(f.URL)
	digest, _ := b.File(name)
	return Download{
		URL: "http://" + BundleAddress + "/files/" + name, Checksum: "sha256:" + digest.SHA256,
	}
}
