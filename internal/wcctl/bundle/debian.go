package bundle

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wastecoach/wastecoach/internal/wcctl/proc"
)

// debian downloads packages with all that they depend on, whatever is installed here.
type debian struct {
	packages Packages
	arch     string
}

// debianRecipe changes when this file makes something else of the same inputs.
const debianRecipe = 2

// debianInputs is what the packages depend on, apart from the day of the download.
type debianInputs struct {
	Recipe  int      `json:"recipe"`
	Arch    string   `json:"arch"`
	Sources []string `json:"sources"`
	Install []string `json:"install"`
}

func (d debian) inputs(install []string) debianInputs {
	return debianInputs{Recipe: debianRecipe, Arch: d.arch, Sources: d.packages.Sources, Install: install}
}

// download puts the packages and their index into out. apt runs on a state of its own that knows
// no installed package, and so takes the whole closure.
func (d debian) download(ctx context.Context, install []string, out string) error {
	state, err := os.MkdirTemp(filepath.Dir(out), ".apt-")
	if err != nil {
		return fmt.Errorf("making apt's folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(state) }()
	for _, name := range []string{"lists/partial", "archives/partial"} {
		if err := os.MkdirAll(filepath.Join(state, name), folderMode); err != nil {
			return fmt.Errorf("making apt's folder: %w", err)
		}
	}
	files := map[string]string{"status": "", "empty": "", "sources.list": d.sources()}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(state, name), []byte(text), fileMode); err != nil {
			return fmt.Errorf("configuring apt: %w", err)
		}
	}
	apt := append([]string{"apt-get", "-qq"}, d.options(state)...)
	take := []string{"install", "--yes", "--no-install-recommends", "--download-only"}
	for _, act := range [][]string{{"update"}, slices.Concat(take, install)} {
		if _, err := (proc.Command{Args: slices.Concat(apt, act)}).Run(ctx); err != nil {
			return err
		}
	}
	if err := takePackages(filepath.Join(state, "archives"), out); err != nil {
		return err
	}
	return writeIndex(ctx, out)
}

func (d debian) sources() string {
	var text strings.Builder
	option := "signed-by=" + d.packages.Keyring
	if d.packages.Keyring == "" {
		option = "trusted=yes"
	}
	for _, source := range d.packages.Sources {
		fmt.Fprintf(&text, "deb [%s] %s\n", option, source)
	}
	return text.String()
}

func (d debian) options(state string) []string {
	var args []string
	for _, option := range []string{
		"Dir::State=" + state,
		"Dir::State::lists=" + filepath.Join(state, "lists"),
		"Dir::State::status=" + filepath.Join(state, "status"),
		"Dir::Cache=" + state,
		"Dir::Cache::archives=" + filepath.Join(state, "archives"),
		"Dir::Etc::sourcelist=" + filepath.Join(state, "sources.list"),
		"Dir::Etc::sourceparts=-",
		"Dir::Etc::preferences=" + filepath.Join(state, "empty"),
		"Dir::Etc::preferencesparts=-",
		"APT::Architecture=" + d.arch,
		"APT::Architectures=" + d.arch,
		"APT::Sandbox::User=",
		"Acquire::Languages=none",
	} {
		args = append(args, "-o", option)
	}
	return args
}

// takePackages moves the packages out of apt's folder, named as in Debian's pool: without the epoch.
func takePackages(archives, out string) error {
	files, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("apt-get downloaded nothing into %s", archives)
	}
	for _, file := range files {
		name, version, _ := strings.Cut(filepath.Base(file), "_")
		if _, upstream, ok := strings.Cut(version, "%3a"); ok {
			version = upstream
		}
		name += "_" + version
		if err := os.Rename(file, filepath.Join(out, name)); err != nil {
			return fmt.Errorf("taking a package: %w", err)
		}
	}
	return nil
}

// writeIndex makes dir a flat apt repository.
func writeIndex(ctx context.Context, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	slices.Sort(files)
	var index bytes.Buffer
	for _, file := range files {
		control, err := proc.Command{Args: []string{"dpkg-deb", "--field", file}}.Run(ctx)
		if err != nil {
			return err
		}
		digest, err := digestFile(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(&index, "%s\nFilename: ./%s\nSize: %d\nSHA256: %s\n\n",
			bytes.TrimSpace(control), filepath.Base(file), digest.Size, digest.SHA256)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(index.Bytes()); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	contents := []struct {
		name string
		data []byte
	}{{"Packages", index.Bytes()}, {"Packages.gz", packed.Bytes()}}
	var release bytes.Buffer
	// apt wants a date; a true one would make equal bundles differ.
	release.WriteString("Origin: wcctl\nSuite: bundle\nDate: Thu, 01 Jan 1970 00:00:00 UTC\nSHA256:\n")
	for _, f := range contents {
		sum := sha256.Sum256(f.data)
		fmt.Fprintf(&release, " %s %d %s\n", hex.EncodeToString(sum[:]), len(f.data), f.name)
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, fileMode); err != nil {
			return fmt.Errorf("writing the package index: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "Release"), release.Bytes(), fileMode); err != nil {
		return fmt.Errorf("writing the package index: %w", err)
	}
	return nil
}
