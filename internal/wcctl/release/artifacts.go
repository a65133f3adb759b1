package release

import (
	"fmt"
	"path"
	"slices"
	"strings"

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
	if err := fits(b, recipe); err != nil {
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
		if c.Tests {
			continue
		}
		for _, f := range c.Files {
			if a.Files[f.Name], err = download(f, b); err != nil {
				return Artifacts{}, err
			}
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

// MismatchError is a bundle that is for something else.
type MismatchError struct {
	What, Have, Want string
}

// Error implements error.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("the bundle has %s %s, wanted is %s", e.What, e.Have, e.Want)
}

func fits(b *bundle.Bundle, r bundle.Recipe) error {
	if b == nil {
		return nil
	}
	lock := b.Lock()
	if lock.Kubernetes != r.Kubernetes {
		return &MismatchError{What: "Kubernetes", Have: lock.Kubernetes, Want: r.Kubernetes}
	}
	if lock.Architecture != r.Architecture {
		return &MismatchError{What: "architecture", Have: lock.Architecture, Want: r.Architecture}
	}
	for _, c := range r.Components {
		if c.OnlineOnly != "" || c.Tests {
			continue
		}
		for _, i := range c.Images {
			if !b.HasImage(i.Ref) {
				return &MismatchError{What: "no image", Have: "like that", Want: i.Ref}
			}
		}
	}
	return nil
}

func download(f bundle.File, b *bundle.Bundle) (Download, error) {
	if b == nil {
		return Download{URL: f.URL, Checksum: "sha256:" + f.Checksum}, nil
	}
	name := path.Base(f.URL)
	digest, ok := b.File(name)
	if !ok {
		return Download{}, &MismatchError{What: "no file", Have: "like that", Want: name}
	}
	return Download{
		URL:      "http://" + BundleAddress + "/files/" + strings.ReplaceAll(name, "+", "%2B"),
		Checksum: "sha256:" + digest.SHA256,
	}, nil
}
