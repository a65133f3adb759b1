package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"

	"github.com/wastecoach/wastecoach/infra"
	"github.com/wastecoach/wastecoach/internal/wcctl/roster"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/terraform"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

const stateKeySuffix = "/terraform.tfstate"

// openTerraform prepares the target's module in dir.
func openTerraform(
	c *spec.Cluster, folder workspace.Folder, dir, authorized string, o sessionOptions,
) (*terraform.Client, error) {
	module, err := fs.Sub(infra.Terraform, path.Join("terraform", string(c.Spec.Target)))
	if err != nil {
		return nil, fmt.Errorf("opening the module of %s: %w", c.Spec.Target, err)
	}
	vars, err := terraformVariables(c, folder, authorized, o)
	if err != nil {
		return nil, err
	}
	if err := terraform.Prepare(dir, module, vars, stateBackend(c)); err != nil {
		return nil, err
	}
	extra := map[string]string{}
	if o.cache != "" {
		// Terraform starts `wcctl machine create`, in a folder of its own.
		if extra[bundleCacheVar], err = filepath.Abs(o.cache); err != nil {
			return nil, fmt.Errorf("finding the cache: %w", err)
		}
	}
	return terraform.New(terraform.Options{
		Dir: dir, Shown: folder.Terraform(), Dry: o.dry, Log: o.log, Phase: "machines",
		Replace: o.replace, Extra: extra,
		// In AWS a machine that is made twice is paid twice.
		Repeatable: c.Spec.Target != spec.AWS,
	})
}

// terraformVariables are what the file says and what only this run knows.
func terraformVariables(
	c *spec.Cluster, folder workspace.Folder, authorized string, o sessionOptions,
) (map[string]any, error) {
	vars := c.Variables()
	known, err := o.knownWorkers(folder)
	if err != nil {
		return nil, err
	}
	if len(known.Retired) > 0 && c.Spec.Target != spec.Hosts {
		vars["retired_workers"] = known.Retired
	}
	switch c.Spec.Target {
	case spec.AWS:
		vars["authorized_key"] = authorized
	case spec.Local:
		program, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding this program: %w", err)
		}
		vars["authorized_key"], vars["wcctl"], vars["state_dir"] = authorized, program, string(folder)
		vars["architecture"] = runtime.GOARCH
		if o.image != "" {
			vars["image_tar"] = o.image
		}
		vars["reservations"], err = reservations(known.Names(c.Metadata.Name, c.Spec.Local.Workers), folder, o.dry)
		return vars, err
	case spec.Hosts:
	}
	return vars, nil
}

// knownWorkers is the roster that counts: the state folder's, or one that is not kept yet.
func (o sessionOptions) knownWorkers(folder workspace.Folder) (roster.Roster, error) {
	if o.roster != nil {
		return *o.roster, nil
	}
	return roster.Load(folder)
}

// stateBackend is nil where Terraform's state stays in the state folder.
func stateBackend(c *spec.Cluster) *terraform.S3Backend {
	if c.Spec.AWS == nil || c.Spec.AWS.StateBucket == "" {
		return nil
	}
	return &terraform.S3Backend{
		Bucket: c.Spec.AWS.StateBucket, Key: c.Metadata.Name + stateKeySuffix, Region: c.Spec.AWS.Region,
	}
}

// copyTerraform gives a plan a working folder of its own: the state and what is installed, the
// large plugins as links.
func copyTerraform(from, to string) error {
	for _, name := range []string{
		"terraform.tfstate", "terraform.tfstate.backup", terraform.ErroredState, ".terraform.lock.hcl",
	} {
		if err := copyIfAny(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
	}
	installed := filepath.Join(from, ".terraform")
	entries, err := os.ReadDir(installed)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading Terraform's folder: %w", err)
	}
	if err := os.Mkdir(filepath.Join(to, ".terraform"), 0o700); err != nil {
		return fmt.Errorf("making Terraform's folder: %w", err)
	}
	for _, e := range entries {
		source, target := filepath.Join(installed, e.Name()), filepath.Join(to, ".terraform", e.Name())
		if e.IsDir() {
			err = os.Symlink(source, target)
		} else {
			err = copyIfAny(source, target)
		}
		if err != nil {
			return fmt.Errorf("copying Terraform's folder: %w", err)
		}
	}
	return nil
}
