package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/bundle"
	"github.com/wastecoach/wastecoach/internal/wcctl/phase"
	"github.com/wastecoach/wastecoach/internal/wcctl/spec"
	"github.com/wastecoach/wastecoach/internal/wcctl/workspace"
)

// writeRelease writes down to which release the cluster goes, and with which bundle: from here on every
// other command goes the same way.
type writeRelease struct {
	file             string
	folder           workspace.Folder
	written, release string
	bundle           *bundle.Bundle
}

// Name implements phase.Phase.
func (*writeRelease) Name() string { return declareName }

// Title implements phase.Phase.
func (*writeRelease) Title() string { return "Write down the release" }

// Place implements phase.Phase.
func (*writeRelease) Place() phase.Place { return phase.Here }

// About implements phase.Phase.
func (*writeRelease) About() string {
	return "Changes the release in wastecoach.yaml, and remembers the bundle."
}

// Pending implements phase.Phase.
func (w *writeRelease) Pending(context.Context, *phase.Run) ([]phase.Change, error) {
	var list []phase.Change
	if w.written != w.release {
		list = append(list, phase.Change{
			Phase: declareName, What: fmt.Sprintf("write spec.kubernetes.version: %s into %s", w.release, w.file),
			Why: "it says " + w.written,
		})
	}
	known, err := rememberedBundle(w.folder)
	if err != nil {
		return nil, err
	}
	if dir := bundleDir(w.bundle); dir != known {
		what := "install from the network from now on"
		if dir != "" {
			what = "install from the bundle " + dir + " from now on"
		}
		list = append(list, phase.Change{Phase: declareName, What: what})
	}
	return list, nil
}

// Apply implements phase.Phase.
func (w *writeRelease) Apply(context.Context, *phase.Run, []phase.Change) error {
	if err := rememberBundle(w.folder, w.bundle); err != nil {
		return err
	}
	if w.written == w.release {
		return nil
	}
	if err := w.setting().write(w.file); err != nil {
		return w.refused(err)
	}
	w.written = w.release
	return nil
}

func (w *writeRelease) setting() setting {
	return setting{block: "kubernetes", key: "version", value: w.release}
}

func (w *writeRelease) refused(err error) error {
	return &Error{
		Op: "changing the release in " + w.file, Cause: err,
		Hint: "write spec.kubernetes.version: " + w.release + " into it by hand, then: wcctl upgrade",
	}
}

func bundleDir(b *bundle.Bundle) string {
	if b == nil {
		return ""
	}
	return b.Dir()
}

// rememberedBundle is the folder of the last up's bundle; empty where there was none.
func rememberedBundle(folder workspace.Folder) (string, error) {
	data, err := os.ReadFile(filepath.Join(string(folder), bundleFile))
	if err != nil && !os.IsNotExist(err) {
		return "", fmt.Errorf("reading which bundle was used: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

// upgradeBundle is where the new release comes from. A cluster that was installed from a bundle has no
// other way, so one of the old release is no answer.
func upgradeBundle(con *console, c *spec.Cluster, folder workspace.Folder, opts *upgradeOptions) (string, error) {
	if opts.bundle != "" {
		return opts.bundle, nil
	}
	remembered, err := rememberedBundle(folder)
	if err != nil {
		return "", err
	}
	release := c.Spec.Kubernetes.Version
	for _, dir := range []string{remembered, usualBundle(con, release)} {
		if dir == "" {
			continue
		}
		if b, err := bundle.Open(dir); err == nil && b.Lock().Kubernetes == release {
			return dir, nil
		}
	}
	if remembered == "" && c.Spec.Target != spec.Local {
		return "", nil
	}
	return "", &Error{
		Cause: fmt.Errorf("there is no bundle with Kubernetes %s, and the cluster was made from one", release),
		Hint: "wcctl bundle create --kubernetes-version " + release + "\n" +
			opts.again(opts.command()) + " # or with --bundle DIR",
	}
}
