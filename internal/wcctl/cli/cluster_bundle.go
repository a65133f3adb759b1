package cli

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// noBundle as the value of --bundle lets the machines fetch everything themselves.
const noBundle = "none"

// bundleFile remembers the bundle of the last up, so that plan and the next up mean the same one.
const bundleFile = "bundle"

const bundleUsage = "install from this folder by wcctl bundle create; " + noBundle +
	": from the network\n(default: as the last up did; for target local what wcctl bundle create made)"

// chosenBundle is the bundle to install from; nil means from the network.
func chosenBundle(
	con *console, c *spec.Cluster, folder workspace.Folder, o sessionOptions,
) (*bundle.Bundle, error) {
	dir := o.bundle
	if dir == "" {
		var err error
		if dir, err = rememberedBundle(folder); err != nil {
			return nil, err
		}
	}
	if dir == "" && c.Spec.Target == spec.Local {
		dir = usualBundle(con, c.Spec.Kubernetes.Version)
	}
	if dir == noBundle {
		dir = ""
	}
	var b *bundle.Bundle
	if dir != "" {
		var err error
		if dir, err = filepath.Abs(dir); err != nil {
			return nil, fmt.Errorf("finding the bundle: %w", err)
		}
		if b, err = openBundle(dir); err != nil {
			return nil, err
		}
	}
	if b != nil && c.Spec.Network.Plugin == spec.Calico && o.needsBundle() {
		return nil, &Error{
			Cause: fmt.Errorf("%s holds no Calico: it cannot be built from public modules", dir),
			Hint: "sed -i 's/plugin: calico/plugin: flannel/' " + o.flags.file.path(con) +
				"\n" + o.flags.again("up --bundle "+noBundle),
		}
	}
	return b, nil
}

// machineImageName is where a bundle may hold an image by wcctl machine image.
const machineImageName = "machine.tar"

// machineImage is the bundle's image of machines on this computer; without one it is made of Debian's
// packages, which takes a network the first time.
func machineImage(b *bundle.Bundle) string {
	if b == nil {
		return ""
	}
	if _, ok := b.File(machineImageName); !ok {
		return ""
	}
	return b.Path(machineImageName)
}

// needsBundle tells that the session says or does what is installed.
func (o sessionOptions) needsBundle() bool { return o.installs || o.dry }

// usualBundle is the one that `wcctl bundle create` makes where it is given no folder; it is empty
// where there is none.
func usualBundle(con *console, version string) string {
	cache := con.getenv(bundleCacheVar)
	if cache == "" {
		cache = bundleCacheDefault
	}
	dir := filepath.Join(cache, "bundle-"+version)
	if _, err := bundle.Open(dir); err != nil {
		return ""
	}
	return dir
}

// rememberBundle is for the runs after this one; nil forgets it.
func rememberBundle(folder workspace.Folder, b *bundle.Bundle) error {
	path := filepath.Join(string(folder), bundleFile)
	if b == nil {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("forgetting the bundle: %w", err)
		}
		return nil
	}
	return workspace.WriteFile(path, []byte(b.Dir()+"\n"))
}

// needsBundle refuses what cannot work: machines on this computer have no way out.
func needsBundle(flags *clusterFlags, c *spec.Cluster, b *bundle.Bundle) error {
	if c.Spec.Target != spec.Local || b != nil {
		return nil
	}
	return &Error{
		Cause: fmt.Errorf("machines on this computer reach no network: they need a bundle"),
		Hint:  "wcctl bundle create\n" + flags.again("up"),
	}
}
