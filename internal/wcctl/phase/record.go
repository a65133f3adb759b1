package phase

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed record.sh
var recordScript string

// record is what a phase leaves on a machine: /var/lib/wastecoach/phases/<phase>.json. The hashes of
// the files that it manages lie beside it in sha256sum's format.
type record struct {
	// Role and Inputs are fingerprints of the role's files and of the variables that it declares.
	Role   string `json:"role"`
	Inputs string `json:"inputs"`
	// Cluster is the name of the one that the machine belongs to.
	Cluster string    `json:"cluster,omitempty"`
	Run     string    `json:"run"`
	At      time.Time `json:"at"`
}

// forget removes a phase's record before the phase runs: a run that is killed leaves none.
func forget(ctx context.Context, shell Shell, phase string) error {
	_, err := shell.Output(ctx, "rm -f /var/lib/wastecoach/phases/"+phase+".json", nil)
	if err != nil {
		return fmt.Errorf("removing the record of %s: %w", phase, err)
	}
	return nil
}

// write leaves the record on a machine.
func (r record) write(ctx context.Context, shell Shell, phase string, files []string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the record of %s: %w", phase, err)
	}
	files = slices.Compact(slices.Sorted(slices.Values(files)))
	input := string(line) + "\n" + strings.Join(files, "\n") + "\n"
	command := "set -- " + phase + "\n" + recordScript
	if _, err := shell.Output(ctx, command, strings.NewReader(input)); err != nil {
		return fmt.Errorf("writing the record of %s: %w", phase, err)
	}
	return nil
}

// roleHash is the fingerprint of a phase's playbook, of its role and of what roles share.
func roleHash(ansible fs.FS, phase, role string) (string, error) {
	sum := sha256.New()
	shared := "files"
	for _, root := range []string{phase + ".yml", path.Join("roles", role), shared} {
		err := fs.WalkDir(ansible, root, func(name string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) && name == shared {
				return nil
			}
			if err != nil || entry.IsDir() || path.Ext(name) == ".md" {
				return err
			}
			data, err := fs.ReadFile(ansible, name)
			if err == nil {
				fmt.Fprintf(sum, "%s %d\n", name, len(data))
				sum.Write(data)
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("reading the role %s: %w", role, err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// inputsHash is the fingerprint of those variables that the role declares.
func inputsHash(ansible fs.FS, role string, vars map[string]any) (string, error) {
	declared, err := declaredBy(ansible, role)
	if err != nil {
		return "", err
	}
	used := map[string]any{}
	for name, value := range vars {
		if declared[name] {
			used[name] = value
		}
	}
	data, err := json.Marshal(used)
	if err != nil {
		return "", fmt.Errorf("reading the variables of %s: %w", role, err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

// declaredBy are the names of the variables in a role's argument specification.
func declaredBy(ansible fs.FS, role string) (map[string]bool, error) {
	data, err := fs.ReadFile(ansible, path.Join("roles", role, "meta", "argument_specs.yml"))
	if err != nil {
		return nil, fmt.Errorf("reading the variables of the role %s: %w", role, err)
	}
	var specs struct {
		Main map[string]struct {
			Options map[string]any `yaml:"options"`
		} `yaml:"argument_specs"`
	}
	if err := yaml.Unmarshal(data, &specs); err != nil {
		return nil, fmt.Errorf("reading the variables of the role %s: %w", role, err)
	}
	names := map[string]bool{}
	for _, entry := range specs.Main {
		for name := range entry.Options {
			names[name] = true
		}
	}
	return names, nil
}
